"""One profile per person, found by any of his identifiers; the loser of a merge points at the winner.

Owns names, e-mails and phones; the id of a profile is the id of the principal its owner signs in as. Promises: an e-mail or phone
belongs to one profile; whoever asks by a merged profile gets the one that has won; events and audit records carry ids only.
"""

from commerce.customers.addresses import move as move_addresses
from commerce.customers.addresses import of_family as addresses_of
from commerce.customers.consents import consented
from commerce.customers.consents import present as consents_of
from commerce.customers.consents import said_before as consents_before
from commerce.customers.errors import (
    AlreadySignedUp,
    BadEmail,
    BadPhone,
    ContactRequired,
    EmailTaken,
    OneIdentifier,
    PhoneTaken,
    UnknownCustomer,
)
from commerce.customers.events import ConsentChanged, CustomerChanged, CustomerErased, CustomerSignedUp
from commerce.customers.families import (
    Family,
    customer_view,
    customer_views,
    identifiers_of,
    merges_of,
    move_identifiers,
    named,
    profiled,
)
from commerce.customers.families import lock as lock_family
from commerce.customers.families import lock_all as lock_families
from commerce.customers.identifiers import email, phone
from commerce.customers.queries import contacts, holder, ids_of
from commerce.customers.schemas import (
    AddressView,
    ConsentView,
    Contact,
    CustomerView,
    IdentifierView,
    MergeRecord,
    ProfileView,
    Touches,
    TouchView,
)
from commerce.customers.service import create_profile, erase_person, export_person
from commerce.customers.touches import forget_touches, touches_of

__all__ = [
    "AddressView",
    "AlreadySignedUp",
    "BadEmail",
    "BadPhone",
    "ConsentChanged",
    "ConsentView",
    "Contact",
    "ContactRequired",
    "CustomerChanged",
    "CustomerErased",
    "CustomerSignedUp",
    "CustomerView",
    "EmailTaken",
    "Family",
    "IdentifierView",
    "MergeRecord",
    "OneIdentifier",
    "PhoneTaken",
    "ProfileView",
    "TouchView",
    "Touches",
    "UnknownCustomer",
    "addresses_of",
    "consented",
    "consents_before",
    "consents_of",
    "contacts",
    "create_profile",
    "customer_view",
    "customer_views",
    "email",
    "erase_person",
    "export_person",
    "forget_touches",
    "holder",
    "identifiers_of",
    "ids_of",
    "lock_families",
    "lock_family",
    "merges_of",
    "move_addresses",
    "move_identifiers",
    "named",
    "phone",
    "profiled",
    "touches_of",
]

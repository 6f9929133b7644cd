"""One profile per person, found by any of his identifiers; the loser of a merge points at the winner.

Owns names, identifiers and merges; the id of a profile is the id of the principal its owner signs in as. Promises: a verified e-mail or
phone belongs to one person, and nothing unverified opens anything or blocks anybody; whoever asks by a merged profile gets the one that
has won; events and audit records carry ids only.
"""

from commerce.customers.addresses import move as move_addresses
from commerce.customers.addresses import of_family as addresses_of
from commerce.customers.consents import consented
from commerce.customers.consents import present as consents_of
from commerce.customers.consents import said_before as consents_before
from commerce.customers.errors import (
    AlreadySignedUp,
    BadEmail,
    BadIdentifier,
    BadPhone,
    GuestCannotWin,
    IdentifierTaken,
    LastContact,
    OneCriterion,
    OneIdentifier,
    UnknownCustomer,
)
from commerce.customers.events import (
    ConsentChanged,
    CustomerChanged,
    CustomerErased,
    CustomerSignedUp,
    CustomersMerged,
    CustomersUnmerged,
    GuestNoted,
)
from commerce.customers.families import Family, is_known, merges_of, move_identifiers, profiled, quiet_guests
from commerce.customers.families import lock as lock_family
from commerce.customers.families import lock_all as lock_families
from commerce.customers.families import view_of as customer_view
from commerce.customers.finding import find
from commerce.customers.guests import note_guest
from commerce.customers.identifiers import card, email, phone
from commerce.customers.merging import merge, unmerge
from commerce.customers.proving import add as add_identifier
from commerce.customers.queries import contacts, first_names, ids_of, ids_of_caller, verified_holder, winner
from commerce.customers.schemas import (
    AddIdentifier,
    AddressView,
    ConsentView,
    Contact,
    CustomerView,
    IdentifierView,
    MergeCustomers,
    MergeRecord,
    ProfileView,
    Touches,
    TouchView,
    UnmergeCustomer,
)
from commerce.customers.service import create_profile, erase_person, export_person
from commerce.customers.touches import forget_touches, touches_of

__all__ = [
    "AddIdentifier",
    "AddressView",
    "AlreadySignedUp",
    "BadEmail",
    "BadIdentifier",
    "BadPhone",
    "ConsentChanged",
    "ConsentView",
    "Contact",
    "CustomerChanged",
    "CustomerErased",
    "CustomerSignedUp",
    "CustomerView",
    "CustomersMerged",
    "CustomersUnmerged",
    "Family",
    "GuestCannotWin",
    "GuestNoted",
    "IdentifierTaken",
    "IdentifierView",
    "LastContact",
    "MergeCustomers",
    "MergeRecord",
    "OneCriterion",
    "OneIdentifier",
    "ProfileView",
    "TouchView",
    "Touches",
    "UnknownCustomer",
    "UnmergeCustomer",
    "add_identifier",
    "addresses_of",
    "card",
    "consented",
    "consents_before",
    "consents_of",
    "contacts",
    "create_profile",
    "customer_view",
    "email",
    "erase_person",
    "export_person",
    "find",
    "first_names",
    "forget_touches",
    "ids_of",
    "ids_of_caller",
    "is_known",
    "lock_families",
    "lock_family",
    "merge",
    "merges_of",
    "move_addresses",
    "move_identifiers",
    "note_guest",
    "phone",
    "profiled",
    "quiet_guests",
    "touches_of",
    "unmerge",
    "verified_holder",
    "winner",
]

"""One profile per person, found by any of his identifiers; the loser of a merge points at the winner.

Owns names, identifiers and merges; the id of a profile is the id of the principal its owner signs in as. Promises: a verified e-mail or
phone belongs to one person, and nothing unverified opens anything or blocks anybody; whoever asks by a merged profile gets the one that
has won; events and audit records carry ids only.
"""

from commerce.customers.errors import (
    AlreadySignedUp,
    BadEmail,
    BadPhone,
    IdentifierTaken,
    OneCriterion,
    OneIdentifier,
    UnknownCustomer,
)
from commerce.customers.events import (
    CustomerChanged,
    CustomerErased,
    CustomerSignedUp,
    CustomersMerged,
    CustomersUnmerged,
    GuestNoted,
)
from commerce.customers.finding import find
from commerce.customers.guests import note_guest
from commerce.customers.identifiers import email, phone
from commerce.customers.merging import merge, unmerge
from commerce.customers.proving import add as add_identifier
from commerce.customers.queries import contacts, ids_of
from commerce.customers.schemas import (
    AddIdentifier,
    Contact,
    CustomerView,
    IdentifierView,
    MergeCustomers,
    ProfileView,
    UnmergeCustomer,
)
from commerce.customers.service import create_profile, erase_person, export_person

__all__ = [
    "AddIdentifier",
    "AlreadySignedUp",
    "BadEmail",
    "BadPhone",
    "Contact",
    "CustomerChanged",
    "CustomerErased",
    "CustomerSignedUp",
    "CustomerView",
    "CustomersMerged",
    "CustomersUnmerged",
    "GuestNoted",
    "IdentifierTaken",
    "IdentifierView",
    "MergeCustomers",
    "OneCriterion",
    "OneIdentifier",
    "ProfileView",
    "UnknownCustomer",
    "UnmergeCustomer",
    "add_identifier",
    "contacts",
    "create_profile",
    "email",
    "erase_person",
    "export_person",
    "find",
    "ids_of",
    "merge",
    "note_guest",
    "phone",
    "unmerge",
]

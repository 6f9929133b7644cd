"""One profile per person, found by any of his identifiers; the loser of a merge points at the winner.

Owns names, e-mails and phones; the id of a profile is the id of the principal its owner signs in as. Promises: an e-mail or phone
belongs to one profile; whoever asks by a merged profile gets the one that has won; events and audit records carry ids only.
"""

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
from commerce.customers.events import CustomerChanged, CustomerErased, CustomerSignedUp
from commerce.customers.identifiers import email, phone
from commerce.customers.queries import contacts, first_names, holder, ids_of, known_among
from commerce.customers.schemas import Contact, CustomerView, ProfileView
from commerce.customers.service import create_profile, erase_person, export_person, find

__all__ = [
    "AlreadySignedUp",
    "BadEmail",
    "BadPhone",
    "Contact",
    "ContactRequired",
    "CustomerChanged",
    "CustomerErased",
    "CustomerSignedUp",
    "CustomerView",
    "EmailTaken",
    "OneIdentifier",
    "PhoneTaken",
    "ProfileView",
    "UnknownCustomer",
    "contacts",
    "create_profile",
    "email",
    "erase_person",
    "export_person",
    "find",
    "first_names",
    "holder",
    "ids_of",
    "known_among",
    "phone",
]

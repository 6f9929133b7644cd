"""What was said with customers by phone, messenger, mail or in a store, and what is still to be answered.

Owns conversations with their entries, next steps, lost demand, the teams that answer and the sources that deliver. Promises: an inquiry
is open until it is answered in the channel it came from; one customer's inquiries in a channel are one conversation, however many come
at once; what is asked, first or again, has its clock until it is answered; a delivered message is taken once; every version has one
entry and one fact; `no_sale` says what was not sold and why.
"""

from commerce.conversations.desk import create_source, save_team
from commerce.conversations.errors import AnotherWaits, SourceTaken, UnknownConversation
from commerce.conversations.events import (
    AnswerOverdue,
    ConversationAnswered,
    ConversationClosed,
    ConversationOpened,
    FirstAnswerOverdue,
    NextStepDue,
)
from commerce.conversations.queries import of_people, owned_by, waiting_of
from commerce.conversations.schemas import (
    CloseConversation,
    CreateSource,
    Inquire,
    LogConversation,
    PersonConversation,
    SaveTeam,
)
from commerce.conversations.service import erase_person, export_person, forget_before, inquire, log, reassign

__all__ = [
    "AnotherWaits",
    "AnswerOverdue",
    "CloseConversation",
    "ConversationAnswered",
    "ConversationClosed",
    "ConversationOpened",
    "CreateSource",
    "FirstAnswerOverdue",
    "Inquire",
    "LogConversation",
    "NextStepDue",
    "PersonConversation",
    "SaveTeam",
    "SourceTaken",
    "UnknownConversation",
    "create_source",
    "erase_person",
    "export_person",
    "forget_before",
    "inquire",
    "log",
    "of_people",
    "owned_by",
    "reassign",
    "save_team",
    "waiting_of",
]

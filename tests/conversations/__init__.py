"""Conversations: inquiries, delivered messages, the staff's queue, next steps, outcomes."""

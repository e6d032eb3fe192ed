"""The embedded instructor for word problems: made of rules, without a language model."""

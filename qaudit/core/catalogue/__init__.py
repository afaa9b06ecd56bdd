"""What the report can say and what a model can be made of: frozen records from which every other list is derived."""

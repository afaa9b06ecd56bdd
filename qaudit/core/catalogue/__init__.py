"""The kinds of explanation and of model step, as frozen records from which every other list of them is derived."""

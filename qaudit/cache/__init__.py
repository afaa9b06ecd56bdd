"""Files written whole or not at all, and answers of units that need not be made again."""

"""The measures: functions that compute numbers from arrays."""

"""The JSON of the API, one file for each noun of ``server/routes``."""

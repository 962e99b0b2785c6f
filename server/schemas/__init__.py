"""The JSON types of the API, one file per noun of ``server/routes``."""

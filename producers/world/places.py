"""Cities and countries: where people live, shop and travel. Plain tables; add a row to add a place."""

from typing import NamedTuple


class City(NamedTuple):
    """A city with its position in degrees and its usual (winter) distance from UTC in hours."""

    name: str
    country: str
    latitude: float
    longitude: float
    utc_offset_hours: int


class Country(NamedTuple):
    """A country (ISO 3166 alpha-2) with its currency (ISO 4217) and centroid in degrees."""

    code: str
    currency: str
    latitude: float
    longitude: float
    utc_offset_hours: int
    weight: float
    """Share of the cardholders who live there."""


COUNTRIES = (
    Country("US", "USD", 39.8, -98.6, -6, 30),
    Country("BR", "BRL", -10.3, -53.2, -3, 14),
    Country("GB", "GBP", 54.0, -2.5, 0, 12),
    Country("DE", "EUR", 51.1, 10.4, 1, 10),
    Country("FR", "EUR", 46.6, 2.5, 1, 8),
    Country("CA", "CAD", 56.1, -106.3, -6, 7),
    Country("ES", "EUR", 40.2, -3.6, 1, 5),
    Country("MX", "MXN", 23.9, -102.5, -6, 4),
    Country("JP", "JPY", 36.6, 138.0, 9, 3),
    Country("AU", "AUD", -25.7, 134.5, 9, 3),
    Country("IN", "INR", 22.9, 79.6, 5, 2),
    Country("KW", "KWD", 29.3, 47.6, 3, 1),
    Country("SG", "SGD", 1.35, 103.8, 8, 1),
)

CITIES = (
    City("New York", "US", 40.7128, -74.0060, -5),
    City("Los Angeles", "US", 34.0522, -118.2437, -8),
    City("Chicago", "US", 41.8781, -87.6298, -6),
    City("Houston", "US", 29.7604, -95.3698, -6),
    City("Miami", "US", 25.7617, -80.1918, -5),
    City("Seattle", "US", 47.6062, -122.3321, -8),
    City("Sao Paulo", "BR", -23.5505, -46.6333, -3),
    City("Rio de Janeiro", "BR", -22.9068, -43.1729, -3),
    City("Belo Horizonte", "BR", -19.9167, -43.9345, -3),
    City("London", "GB", 51.5074, -0.1278, 0),
    City("Manchester", "GB", 53.4808, -2.2426, 0),
    City("Berlin", "DE", 52.5200, 13.4050, 1),
    City("Munich", "DE", 48.1351, 11.5820, 1),
    City("Paris", "FR", 48.8566, 2.3522, 1),
    City("Lyon", "FR", 45.7640, 4.8357, 1),
    City("Toronto", "CA", 43.6532, -79.3832, -5),
    City("Vancouver", "CA", 49.2827, -123.1207, -8),
    City("Madrid", "ES", 40.4168, -3.7038, 1),
    City("Barcelona", "ES", 41.3874, 2.1686, 1),
    City("Mexico City", "MX", 19.4326, -99.1332, -6),
    City("Tokyo", "JP", 35.6762, 139.6503, 9),
    City("Sydney", "AU", -33.8688, 151.2093, 10),
    City("Mumbai", "IN", 19.0760, 72.8777, 5),
    City("Kuwait City", "KW", 29.3759, 47.9774, 3),
    City("Singapore", "SG", 1.3521, 103.8198, 8),
)

UNITS_PER_USD = {
    "USD": 1.0,
    "BRL": 5.0,
    "GBP": 0.8,
    "EUR": 0.9,
    "CAD": 1.35,
    "MXN": 17.0,
    "JPY": 150.0,
    "AUD": 1.5,
    "INR": 83.0,
    "KWD": 0.31,
    "SGD": 1.35,
}
"""Rough prices of one US dollar, so that a coffee costs about a coffee everywhere."""

DECIMALS = {"JPY": 0, "KWD": 3}
"""Digits after the point of the currencies above that do not have two."""

CURRENCY = {country.code: country.currency for country in COUNTRIES}


_COINS = {
    currency: (units, DECIMALS.get(currency, 2), 10.0 ** -DECIMALS.get(currency, 2))
    for currency, units in UNITS_PER_USD.items()
}
"""Units per dollar, digits after the point and smallest coin."""


def local_amount(usd: float, currency: str) -> float:
    """An amount of dollars in another currency, rounded to its smallest coin and at least one of them.

    >>> local_amount(3.5, "JPY"), local_amount(3.5, "EUR"), local_amount(0.0001, "USD")
    (525.0, 3.15, 0.01)
    """
    units, digits, smallest = _COINS[currency]
    amount = round(usd * units, digits)
    return amount if amount >= smallest else smallest

"""What the shop sells, how it is paid for and what brings people there. Plain tables with their weights."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of product, the subcategory it belongs to, and what it typically costs (US dollars)."""

    name: str
    subcategory: str
    price_usd: float


class Category(NamedTuple):
    """A category of products: its share of the orders (against the sum of all shares), brands and kinds."""

    name: str
    weight: int
    brands: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @property
    def slug(self) -> str:
        """The category's name in product ids.

        >>> CATEGORIES[3].slug
        'home_garden'
        """
        return self.name.lower().replace(" & ", "_").replace(" ", "_")

    @property
    def category_id(self) -> str:
        """The id that follows from the name.

        >>> CATEGORIES[3].category_id
        'cat_home_garden'
        """
        return f"cat_{self.slug}"


CATEGORIES = (
    Category(
        "Electronics",
        25,
        ("Voltra", "Nimbus", "Kestrel", "Orbit"),
        (
            Kind("Smartphone", "Phones", 650),
            Kind("Laptop", "Laptops", 1100),
            Kind("Headphones", "Audio", 120),
            Kind("Speaker", "Audio", 90),
            Kind("Camera", "Cameras", 480),
            Kind("Smart Watch", "Wearables", 210),
        ),
    ),
    Category(
        "Clothing",
        20,
        ("Northway", "Lumen", "Plain Thread", "Stride"),
        (
            Kind("T-Shirt", "Tops", 18),
            Kind("Sweater", "Tops", 45),
            Kind("Jeans", "Trousers", 60),
            Kind("Jacket", "Outerwear", 110),
            Kind("Dress", "Dresses", 70),
            Kind("Sneakers", "Shoes", 85),
        ),
    ),
    Category(
        "Books",
        15,
        ("Harbour Press", "Quill House", "Meridian"),
        (
            Kind("Novel", "Fiction", 14),
            Kind("Cookbook", "Cooking", 28),
            Kind("Biography", "History", 20),
            Kind("Textbook", "Science", 65),
            Kind("Atlas", "Travel", 40),
        ),
    ),
    Category(
        "Home & Garden",
        15,
        ("Oakline", "Hearth", "Fernway"),
        (
            Kind("Lamp", "Lighting", 45),
            Kind("Cookware Set", "Kitchen", 130),
            Kind("Blender", "Kitchen", 70),
            Kind("Garden Chair", "Garden", 55),
            Kind("Rug", "Furniture", 160),
        ),
    ),
    Category(
        "Sports & Outdoors",
        10,
        ("Summit", "Trailhead", "Velo"),
        (
            Kind("Yoga Mat", "Fitness", 30),
            Kind("Dumbbells", "Fitness", 60),
            Kind("Tent", "Camping", 180),
            Kind("Bike Helmet", "Cycling", 65),
            Kind("Backpack", "Camping", 80),
        ),
    ),
    Category(
        "Beauty & Health",
        10,
        ("Alba", "Puresense", "Vital"),
        (
            Kind("Face Cream", "Skin Care", 24),
            Kind("Shampoo", "Hair", 9),
            Kind("Vitamin C", "Vitamins", 12),
            Kind("Perfume", "Fragrance", 75),
        ),
    ),
    Category(
        "Toys & Games",
        5,
        ("Playforge", "Brightblock"),
        (
            Kind("Board Game", "Games", 35),
            Kind("Puzzle", "Puzzles", 18),
            Kind("Building Set", "Building", 55),
            Kind("Plush Bear", "Dolls", 20),
        ),
    ),
)
"""Every category. A new one is an entry here and nothing else: ids follow from its name, and the schema takes any."""

PAYMENT_METHODS = (("credit_card", 60), ("debit_card", 25), ("paypal", 10), ("apple_pay", 5))

PAYMENT_PROVIDERS = {
    "credit_card": ("visa", "mastercard", "amex"),
    "debit_card": ("visa", "mastercard"),
    "paypal": ("paypal",),
    "apple_pay": ("apple",),
}


class Device(NamedTuple):
    """A kind of device a shopper uses."""

    type: str
    os: str
    browser: str
    user_agent: str


DEVICES = (
    (Device("mobile", "iOS", "Safari", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1"), 34),
    (Device("mobile", "Android", "Chrome", "Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120.0 Mobile"), 28),
    (Device("desktop", "Windows", "Chrome", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0"), 20),
    (Device("desktop", "macOS", "Safari", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_0) Safari/17.0"), 11),
    (Device("tablet", "iPadOS", "Safari", "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) Safari/604.1"), 7),
)


class Attribution(NamedTuple):
    """What brought a shopper to the site."""

    campaign_id: str | None
    channel: str
    referrer: str | None


ATTRIBUTIONS = (
    (Attribution(None, "direct", None), 30),
    (Attribution(None, "organic_search", "https://search.example.com"), 28),
    (Attribution("camp_spring_sale", "paid_search", "https://search.example.com/ads"), 16),
    (Attribution("camp_newsletter", "email", "https://mail.example.com"), 14),
    (Attribution("camp_influencer", "social", "https://social.example.com"), 12),
)

DISCOUNTS = ((0.0, 70), (0.05, 8), (0.1, 10), (0.15, 6), (0.2, 4), (0.3, 2))
QUANTITIES = ((1, 70), (2, 18), (3, 7), (4, 3), (5, 2))


class Town(NamedTuple):
    """Where orders are placed from: country (ISO 3166), state, city, zip prefix and position belong together."""

    country: str
    currency: str
    state: str
    city: str
    zip_code: str
    """`#` stands for a digit."""
    latitude: float
    longitude: float


TOWNS = (
    (Town("US", "USD", "NY", "New York", "100##", 40.7128, -74.0060), 18),
    (Town("US", "USD", "CA", "Los Angeles", "900##", 34.0522, -118.2437), 15),
    (Town("US", "USD", "IL", "Chicago", "606##", 41.8781, -87.6298), 11),
    (Town("US", "USD", "TX", "Houston", "770##", 29.7604, -95.3698), 10),
    (Town("US", "USD", "AZ", "Phoenix", "850##", 33.4484, -112.0740), 7),
    (Town("US", "USD", "WA", "Seattle", "981##", 47.6062, -122.3321), 9),
    (Town("CA", "CAD", "ON", "Toronto", "M5V #A#", 43.6532, -79.3832), 8),
    (Town("CA", "CAD", "BC", "Vancouver", "V6B #B#", 49.2827, -123.1207), 4),
    (Town("CA", "CAD", "QC", "Montreal", "H3B #C#", 45.5017, -73.5673), 3),
    (Town("GB", "GBP", "England", "London", "SW1A #AA", 51.5074, -0.1278), 9),
    (Town("GB", "GBP", "England", "Manchester", "M# #AE", 53.4808, -2.2426), 4),
    (Town("GB", "GBP", "Scotland", "Edinburgh", "EH# #YL", 55.9533, -3.1883), 2),
)

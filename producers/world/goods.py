"""What the shop sells, how it is paid for and what brings people there. Plain tables with their weights."""

from typing import NamedTuple


class Category(NamedTuple):
    """A category of products; prices in US dollars spread from `low` to `high`, evenly on a logarithmic scale."""

    category_id: str
    name: str
    weight: int
    low: float
    high: float
    subcategories: tuple[str, ...]
    brands: tuple[str, ...]
    products: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The category's name in product ids.

        >>> CATEGORIES[3].slug
        'home_garden'
        """
        return self.name.lower().replace(" & ", "_").replace(" ", "_")


CATEGORIES = (
    Category(
        "cat_001", "Electronics", 25, 15.0, 1800.0,
        ("Phones", "Laptops", "Audio", "Cameras"), ("Voltra", "Nimbus", "Kestrel", "Orbit"),
        ("Smartphone", "Laptop", "Headphones", "Tablet", "Camera", "Smart Watch"),
    ),
    Category(
        "cat_002", "Clothing", 20, 8.0, 220.0,
        ("Men", "Women", "Children", "Shoes"), ("Northway", "Lumen", "Plain Thread", "Stride"),
        ("T-Shirt", "Jeans", "Jacket", "Dress", "Sneakers", "Sweater"),
    ),
    Category(
        "cat_003", "Books", 15, 4.0, 75.0,
        ("Fiction", "Science", "Cooking", "History"), ("Harbour Press", "Quill House", "Meridian"),
        ("Novel", "Cookbook", "Biography", "Textbook", "Atlas"),
    ),
    Category(
        "cat_004", "Home & Garden", 15, 10.0, 600.0,
        ("Kitchen", "Furniture", "Garden", "Lighting"), ("Oakline", "Hearth", "Fernway"),
        ("Lamp", "Cookware Set", "Garden Chair", "Blender", "Rug"),
    ),
    Category(
        "cat_005", "Sports & Outdoors", 10, 9.0, 450.0,
        ("Fitness", "Camping", "Cycling", "Team Sports"), ("Summit", "Trailhead", "Velo"),
        ("Yoga Mat", "Tent", "Dumbbells", "Bike Helmet", "Backpack"),
    ),
    Category(
        "cat_006", "Beauty & Health", 10, 5.0, 140.0,
        ("Skin Care", "Hair", "Vitamins", "Fragrance"), ("Alba", "Puresense", "Vital"),
        ("Face Cream", "Shampoo", "Vitamin C", "Perfume"),
    ),
    Category(
        "cat_007", "Toys & Games", 5, 6.0, 120.0,
        ("Board Games", "Puzzles", "Building", "Dolls"), ("Playforge", "Brightblock"),
        ("Board Game", "Puzzle", "Building Set", "Plush Bear"),
    ),
)  # fmt: skip

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
    """Where orders are placed from: country, state, city, zip prefix and position belong together."""

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
    (Town("Canada", "CAD", "ON", "Toronto", "M5V #A#", 43.6532, -79.3832), 8),
    (Town("Canada", "CAD", "BC", "Vancouver", "V6B #B#", 49.2827, -123.1207), 4),
    (Town("Canada", "CAD", "QC", "Montreal", "H3B #C#", 45.5017, -73.5673), 3),
    (Town("UK", "GBP", "England", "London", "SW1A #AA", 51.5074, -0.1278), 9),
    (Town("UK", "GBP", "England", "Manchester", "M# #AE", 53.4808, -2.2426), 4),
    (Town("UK", "GBP", "Scotland", "Edinburgh", "EH# #YL", 55.9533, -3.1883), 2),
)

"""The invented world that the records come from: places, merchants, goods, devices and people, as plain tables."""

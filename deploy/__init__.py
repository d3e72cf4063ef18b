"""Starting what the processes of Twinstream run on."""

from twinstream.packages import require

require("kafka", "msgspec", "psutil", "pydantic_settings", "redis", "rich", "structlog", "typer", "yaml")

import shutil

from tests.services.server import ServiceMissing


def chromium() -> str:
    """The system's browser: Playwright's own would be a download from outside the registries."""
    # The shell first: it draws pages alike, and no window, tabs and buttons around each.
    for name in ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]:
        if path := shutil.which(name):
            return path
    raise ServiceMissing("no Chromium is installed (Debian: chromium)")

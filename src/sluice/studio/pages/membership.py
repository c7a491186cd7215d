"""All pages of accounts and of the keepers' desk."""

from sluice.studio.pages import account, desk, login, report, sign_up

ROUTERS = (account.router, desk.router, login.router, report.router, sign_up.router)

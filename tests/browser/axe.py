"""axe-core: what of a page cannot be used by everybody, as far as a program can tell."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.services.node import Node

PACKAGE = "axe-core@4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = """
async ([within, rules]) => {
  // A colour on its way to another is neither.
  const transitions = document.getAnimations().filter((one) => one instanceof CSSTransition);
  transitions.forEach((transition) => transition.finish());
  const only = { runOnly: { type: "tag", values: rules }, resultTypes: ["violations"] };
  const context = { include: within.map((selector) => [selector]) };
  return (await axe.run(context, only)).violations;
}
"""


def source(node: Node) -> str:
    """The program, as one script."""
    return (node.folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, *within: str) -> list[str]:
    """One line for each: rule, element, and what would mend it."""
    for selector in within:
        assert page.locator(selector).count(), selector  # axe-core passes over what is not there
    found: list[dict[str, Any]] = page.evaluate(RUN, [list(within), RULES])
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]

"""Contents as good as can be, but for a few places, in which there is anything."""

import copy
from typing import Any

from hypothesis import strategies as st

__all__ = ["anything", "mutated"]

_NUMBERS = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 1, 2, 2**31, 2**32, 2**53, 2**63, -(2**63) - 1, 10**400, 3 * 10**8]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e308, 3e8, 1e-300]),
)
_TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "0", "..", "../x", "/etc/passwd", "\ud800", "a\0b", "0" * 300, "NaN"]),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=7), st.dictionaries(_TEXTS, inner, max_size=4)
    ),
    max_leaves=8,
)
"""What a json can hold, and Python's reader takes for one."""


def _places(content: Any, path: tuple = ()) -> list[tuple]:
    """The keys that lead to each part of a content."""
    found = [path] if path else []
    if isinstance(content, dict):
        for key, value in content.items():
            found += _places(value, (*path, key))
    elif isinstance(content, list):
        for index, value in enumerate(content):
            found += _places(value, (*path, index))
    return found


@st.composite
def mutated(draw: Any, content: Any) -> Any:
    """A content with one to three parts replaced, removed, or there twice."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        places = _places(content)
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        parent = content
        for key in path:
            parent = parent[key]
        how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "double"]))
        if how == "replace":
            parent[last] = draw(anything)
        elif how == "remove":
            del parent[last]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[last]))
        else:
            parent[draw(_TEXTS)] = parent[last]
    return content

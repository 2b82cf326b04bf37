"""The words that all planes share."""

from __future__ import annotations

from catshop.kernel import Change, Changes, ListChanged, Listing, ResourceUpdated


def test_every_listener_hears_every_later_change_in_order() -> None:
    """House rule: who publishes and who listens never meet."""
    changes = Changes()
    first: list[Change] = []
    second: list[Change] = []
    changes.publish(ListChanged(Listing.PROMPTS))
    stop = changes.listen(first.append)
    changes.listen(second.append)
    changes.publish(ResourceUpdated("cat://1"))
    stop()
    changes.publish(ListChanged(Listing.TOOLS))
    assert first == [ResourceUpdated("cat://1")]
    assert second == [ResourceUpdated("cat://1"), ListChanged(Listing.TOOLS)]


def test_a_listener_may_stop_while_it_is_told() -> None:
    """House rule: nobody is forgotten because somebody else left."""
    changes = Changes()
    heard: list[Change] = []

    def once(change: Change) -> None:
        heard.append(change)
        stop()

    stop = changes.listen(once)
    changes.listen(heard.append)
    changes.publish(ResourceUpdated("cat://1"))
    changes.publish(ResourceUpdated("cat://2"))
    assert [change.uri for change in heard if isinstance(change, ResourceUpdated)] == [
        "cat://1",
        "cat://1",
        "cat://2",
    ]

"""`status` over many positions, while they come and go."""

from functools import partial
from pathlib import Path

import trio

from robson.daemon.lookout import _VIEWS_AT_ONCE
from robson.protocol import requests as ask
from robson.protocol import results as give
from tests.rig import NOBODY, Rig

POSITIONS = 4 * _VIEWS_AT_ONCE


async def test_each_position_is_shown_once_though_some_close_and_others_are_armed_meanwhile(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path).running() as rig:
        ids = [await rig.arm() for _ in range(POSITIONS)]
        for position_id in ids[::4]:
            await rig.desk.disarm(ask.DisarmRequest(position_id=position_id), NOBODY, None)
        found: list[give.StatusResult] = []
        whole = await rig.desk.status(ask.StatusRequest(all=True), NOBODY)
        assert [view.position_id for view in whole.positions] == ids

        async def look(request: ask.StatusRequest) -> None:
            found.append(await rig.desk.status(request, NOBODY))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(partial(look, ask.StatusRequest(all=True)))
                nursery.start_soon(partial(look, ask.StatusRequest()))
            await trio.lowlevel.checkpoint()
            for position_id in (*ids[1::4], ids[-1]):
                await rig.desk.disarm(ask.DisarmRequest(position_id=position_id), NOBODY, None)
            newest = await rig.arm()
        assert len(found) == 6
        for status in found:
            shown = [view.position_id for view in status.positions]
            assert len(set(shown)) == len(shown)
            if any(view.state == "Closed" for view in status.positions):
                assert set(ids) <= set(shown) <= {*ids, newest}
            else:
                assert set(ids[2::4]) <= set(shown)

"""A run's whole state as a checkpoint has it, and back; `state` has the parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tostdsl.diagnostics import TostError
from tostdsl.engine import state
from tostdsl.engine.blobs import Blobs, blob
from tostdsl.engine.checkpoint import Snapshot
from tostdsl.engine.equipment import Equipment
from tostdsl.engine.loop import Begin, Loop
from tostdsl.engine.record import SCHEMA, FileEntry, Position, Record

if TYPE_CHECKING:
    from tostdsl.engine.session import Session


def take(
    session: Session, kit: Equipment, loop: Loop | None, segment: int | None, offset: int
) -> Snapshot:
    """The state as it is; R302, R309 to R314 where it holds what it must not."""
    assert kit.keeper is not None
    tensors, training = state.take_network(kit.model), None
    if loop is not None:
        loop.refuse_infinite()
        if kit.watch is not None:
            kit.watch.look(loop)
        training, more = state.take_training(loop)
        tensors |= more
    blobs: dict[str, bytes] = {}
    masks = kit.masked.masks if kit.masked is not None else {}
    split = _split(session.moments or [])
    entries = session.folder.entries
    record = Record(
        schema_version=SCHEMA,
        plan=session.plan.fingerprint,
        position=Position(
            phase=session.phase, segment=segment, offset=offset, done=kit.keeper.done
        ),
        training=training,
        masks=_digest(session, "masks", masks, state.pack, blobs),
        rewind=_digest(session, "rewind", session.rewind, _copied, blobs),
        moments=_digest(session, "moments", split[0], _copied, blobs),
        moments_plain=split[1] if session.moments is not None else None,
        proof=state.take_proof(kit.certificate),
        seams=list(kit.seams),
        files={name: FileEntry(**asdict(entry)) for name, entry in entries.items()},
        texts=session.folder.texts,
        unreal=session.unreal,
        tensors=sorted(tensors),
        seconds=time.perf_counter() - session.started,
        watching=kit.watch.spent.seconds if kit.watch is not None else 0.0,
        validation=kit.validation,
    )
    return Snapshot(record, tensors, blobs)


def _digest(
    session: Session,
    name: str,
    source: Mapping[str, Tensor],
    tensors: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
    contents: dict[str, bytes],
) -> str | None:
    """The digest of a blob; its content is made only where it may not be on disk yet."""
    if not source:
        return None
    known = session.digests.get(name)
    if known is not None and session.checkpoints.blobs.has(known):
        return known
    digest, contents_of = blob(tensors(source))
    session.digests[name] = digest
    contents[digest] = contents_of
    return digest


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: state.copied(tensor) for name, tensor in tensors.items()}


def _split(moments: list[dict[str, Any]]) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Tensors of the optimizer's state of each parameter by `<place>:<name>`, and the rest."""
    found: dict[str, Tensor] = {}
    plain = []
    for index, held in enumerate(moments):
        tensors, rest = state.split(held, "the optimizer's state at the rewind point")
        found.update({f"{index}:{key}": tensor for key, tensor in tensors.items()})
        plain.append(rest)
    return found, plain


def restore(session: Session, kit: Equipment, snapshot: Snapshot) -> None:
    """Put back what belongs to no phase; R702 where it does not fit the plan's network."""
    record, blobs = snapshot.record, session.checkpoints.blobs
    state.put_network(kit.model, snapshot.tensors)
    if record.masks is not None:
        if kit.masked is None:
            raise TostError.of("R702", reason="it has masks, the plan has none")
        kit.masked.load_state_dict(state.unpack(_blob(blobs, record.masks), kit.masked))
        if bad := kit.masked.violations():
            raise TostError.of("R702", reason=f"masked weights of `{bad[0]}` are not zero")
        session.digests["masks"] = record.masks
    if record.rewind is not None:
        like, found = kit.model.state_dict(), _blob(blobs, record.rewind)
        if like.keys() != found.keys():
            raise TostError.of("R702", reason="what it goes back to is another network")
        session.rewind = {name: found[name].to(like[name].device) for name in like}
        session.digests["rewind"] = session.origin = record.rewind
    if record.moments_plain is not None:
        held = _blob(blobs, record.moments) if record.moments else {}
        session.moments = _moments(kit, record, held)
        if record.moments is not None:
            session.digests["moments"] = record.moments
    state.put_proof(kit.certificate, record.proof)
    kit.seams[:] = record.seams
    kit.validation = record.validation


def _blob(blobs: Blobs, digest: str) -> dict[str, Tensor]:
    try:
        return blobs.get(digest)
    except ValueError as error:
        raise TostError.of("R702", reason=str(error)) from None


def _moments(kit: Equipment, record: Record, found: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    assert record.moments_plain is not None
    own = list(kit.model.parameters())
    if len(own) != len(record.moments_plain):
        raise TostError.of("R702", reason="the moments it goes back to are of another network")
    moments = []
    for index, (plain, parameter) in enumerate(zip(record.moments_plain, own, strict=True)):
        here = state.below(found, f"{index}:")
        put = {k: state.placed(t, parameter, parameter.device) for k, t in here.items()}
        moments.append({**plain, **put})
    return moments


def begin(snapshot: Snapshot) -> Begin:
    """Where the phase at work goes on."""
    position, training = snapshot.record.position, snapshot.record.training
    if position.segment is None or training is None:
        raise ValueError("this state was kept between phases")
    restored = partial(state.put_training, training=training, state=snapshot.tensors)
    return Begin(position.segment, position.offset, restored)

"""Which weights of a group or block are kept, for all blocks of a layer at once.

Values are absolute weights as out x positions x in, with the pattern dividing what it must. Of
equal values the earlier is kept.
"""

from __future__ import annotations

from itertools import combinations, product

import torch
from torch import Tensor

MOST_PATTERNS = 100
"""Up to so many block patterns are tried all; 4 x 4 with two in each row and column has 90."""


def largest_of_each(values: Tensor, n: int, m: int) -> Tensor:
    """Keep the n largest of every m consecutive values along the last axis."""
    groups = values.reshape(*values.shape[:-1], -1, m)
    order = groups.sort(dim=-1, descending=True, stable=True).indices
    mask = torch.zeros_like(groups, dtype=torch.bool)
    mask.scatter_(-1, order[..., :n], torch.ones_like(order[..., :n], dtype=torch.bool))
    return mask.reshape(values.shape)


def columns_of_blocks(values: Tensor, v: int, n: int, m: int) -> Tensor:
    """Of every block of v outputs by m inputs, keep 4 columns, and n of these in each row."""
    outs, places, ins = values.shape
    blocks = values.reshape(outs // v, v, places, ins // m, m)
    columns = largest_of_each(blocks.sum(1), 4, m).unsqueeze(1).expand_as(blocks)
    within = blocks.masked_fill(~columns, -1)
    return largest_of_each(within, n, m).reshape(values.shape)


def transposable(values: Tensor, n: int, m: int) -> Tensor:
    """Of every block of m outputs by m inputs, keep n in each row and each column."""
    outs, places, ins = values.shape
    blocks = values.reshape(outs // m, m, places, ins // m, m).permute(0, 2, 3, 1, 4)
    flat = blocks.reshape(-1, m, m)
    patterns = _patterns(n, m)
    mask = _greedy(flat, n) if patterns is None else _best(flat, patterns)
    grid = mask.reshape(outs // m, places, ins // m, m, m).permute(0, 3, 1, 2, 4)
    return grid.reshape(values.shape)


def _patterns(n: int, m: int) -> Tensor | None:
    """All m x m patterns with n in each row and column; None where that are too many."""
    if m > 4:
        return None
    rows = [[i in kept for i in range(m)] for kept in combinations(range(m), n)]
    every = torch.tensor(list(product(rows, repeat=m)), dtype=torch.bool)
    return every[(every.sum(1) == n).all(1)][:MOST_PATTERNS]


def _best(blocks: Tensor, patterns: Tensor) -> Tensor:
    """The pattern under which most of a block is kept."""
    sums = blocks.flatten(1).double() @ patterns.flatten(1).double().T
    return patterns[sums.argmax(1)]


def _greedy(blocks: Tensor, n: int) -> Tensor:
    """Take values in falling order while row and column have room, then fill up by exchanges."""
    count, m, _ = blocks.shape
    order = blocks.flatten(1).sort(dim=1, descending=True, stable=True).indices
    mask = torch.zeros(count, m, m, dtype=torch.bool)
    rows, columns = torch.zeros(count, m, dtype=torch.long), torch.zeros(count, m, dtype=torch.long)
    every = torch.arange(count)
    for place in order.T:
        row, column = place // m, place % m
        free = (rows[every, row] < n) & (columns[every, column] < n)
        mask[every, row, column] |= free
        rows[every, row] += free
        columns[every, column] += free
    while bool((short := rows.sum(1) < n * m).any()):
        here = short.nonzero().squeeze(1)
        _exchange(blocks[here], mask, rows, columns, here, n)
    return mask


def _exchange(
    blocks: Tensor, mask: Tensor, rows: Tensor, columns: Tensor, here: Tensor, n: int
) -> None:
    """Add one to a row and a column that are short, at the least cost.

    (row, j) and (i, column) come in for (i, j). Such a pair is always there: the rows that have
    room in this column are more than n - 1, and none of them can be full without it.
    """
    at = torch.arange(len(here))
    row = (rows[here] < n).long().argmax(1)
    column = (columns[here] < n).long().argmax(1)
    now = mask[here]
    gain = blocks[at, row].unsqueeze(1) + blocks[at, :, column].unsqueeze(2) - blocks
    able = now & ~now[at, row].unsqueeze(1) & ~now[at, :, column].unsqueeze(2)
    best = gain.masked_fill(~able, -torch.inf).flatten(1).argmax(1)
    i, j = best // blocks.shape[1], best % blocks.shape[1]
    now[at, row, j] = True
    now[at, i, column] = True
    now[at, i, j] = False
    mask[here] = now
    rows[here, row] += 1
    columns[here, column] += 1

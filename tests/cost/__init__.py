"""What a check costs in counts, which no machine's speed changes: a gate, and no benchmark.

``python -m tests.cost`` compares with ``figures.json``; with ``--record`` it writes that file.

instructions  in units of ``yardstick.py``, counted in the same process
allocations   calls of malloc, calloc and realloc, as Python's own allocators are out of the way;
              what a free list hands out again is none
blocks kept   after 10,000 checks, by Python's own allocators

Statements and round trips are exact, and tested for each: ``tests/rest/test_query_counts.py``
(database) and ``tests/backends/replica/test_costs.py`` (within bounds, strict, strict by Redis).
"""

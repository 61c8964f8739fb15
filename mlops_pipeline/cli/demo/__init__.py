"""The demo: one story on real data, told by the real system and held to its claims.

In:     a profile that says how much traffic.
Out:    stages with their times, claims that held, a summary; exit code 0 only if all held.
Never:  does a thing in another way than production does it.
"""

#!/usr/bin/env python3
"""High-precision references for src/rope, from mpmath with 80 digits.

    python3 tools/rope_vectors.py math > tests/data/rope_math.json
    python3 tools/rope_vectors.py rows > tests/data/rope_rows.json

`math`: ln, exp and powers at a few thousand points, each rounded once to double (ties to even), as
hexadecimal doubles; tests/unit/test_rope_math.c demands the same bits. `rows`: frequencies, cos and
sin of a few rotations at positions to 1 048 575 and beyond, the methods' formulas written out again here
without a single rounding; tests/unit/test_rope_rows.c.
"""
import json
import platform
import random
import sys
from fractions import Fraction

import mpmath
from mpmath import mp, mpf

mp.dps = 80
POSITIONS = (0, 1, 511, 4095, 32767, 131071, 1048575, 16777217)


def to_double(value):
    """Nearest double, ties to even, subnormals included: Python's division of integers is exact."""
    sign, mantissa, exponent, _ = value._mpf_
    fraction = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return float(-fraction if sign else fraction)


def about():
    return {"by": "tools/rope_vectors.py", "mpmath": mpmath.__version__,
            "python": platform.python_version(), "digits": mp.dps}


def signed(rng):
    return rng.choice((-1, 1))


def ln_points(rng):
    points = [1.0, 2.0, 0.5, 1 + 2.0 ** -52, 1 - 2.0 ** -53, 5e-324, 1e-310, 1.7e308, 10000.0,
              1.4142135623730949, 1.4142135623730951, 1.4142135623730954]
    points += [10 ** rng.uniform(-300, 300) for _ in range(250)]
    points += [rng.uniform(0.5, 2) for _ in range(200)]
    points += [1 + signed(rng) * 2.0 ** -rng.randint(1, 52) for _ in range(50)]
    points += [float(rng.randint(2, 10 ** 7)) for _ in range(200)]
    return points


def exp_points(rng):
    points = [0.0, 2.0 ** -53, 2.0 ** -54, -2.0 ** -53, -2.0 ** -54, 2.0 ** -60, -2.0 ** -61,
              3 * 2.0 ** -52, 0.6931471805599453, -0.6931471805599453, 709.78, -708.3, -708.5,
              -744.4, -745.13, -746.0, 1e-300]
    points += [rng.uniform(-745, 709) for _ in range(250)]
    points += [rng.uniform(-1, 1) for _ in range(200)]
    points += [signed(rng) * 2 ** rng.uniform(-58, 0) for _ in range(200)]
    return points


def some_base(rng):
    return rng.choice((1e4, 5e5, 1e6, 1e7, 1.5e5, float(rng.randint(2, 10 ** 8)),
                       rng.uniform(2, 1e9), 2.0 ** rng.randint(1, 60)))


def pow_points(rng):
    for _ in range(1200):
        d = 2 * rng.randint(1, 512)
        yield some_base(rng), -2 * rng.randint(0, d // 2 - 1), d


def scaled_points(rng):
    """The base of NTK. 27-bit scales squared (d = 4) hit doubles and the middles between them."""
    for _ in range(400):
        d = rng.choice((4, 6, 64, 128, 2 * rng.randint(2, 256)))
        scale = rng.choice((2.0, 4.0, 8.0, 1.1, rng.uniform(1, 100),
                            1 + rng.randint(1, 2 ** 26) * 2.0 ** -26))
        yield rng.choice((1.0, some_base(rng))), scale, d, d - 2


def math_vectors():
    rng = random.Random(20250101)
    ln = [[x.hex(), to_double(mpmath.log(mpf(x))).hex()] for x in ln_points(rng)]
    exp = [[x.hex(), to_double(mpmath.exp(mpf(x))).hex()] for x in exp_points(rng)]
    power = [[b.hex(), n, d, to_double(mpf(b) ** (mpf(n) / d)).hex()]
             for b, n, d in pow_points(rng)]
    scaled = [[c.hex(), b.hex(), n, d, to_double(mpf(c) * mpf(b) ** (mpf(n) / d)).hex()]
              for c, b, n, d in scaled_points(rng)]
    return {"about": about(), "ln": ln, "exp": exp, "pow": power, "scaled_pow": scaled}


# ---- rotations ----------------------------------------------------------------------------------


def base_frequency(spec, k, theta=None):
    w = mpf(theta or spec["theta"]) ** (mpf(-2 * k) / spec["rotary_dim"])
    return w / mpf(spec["pair_factor"][k]) if "pair_factor" in spec else w


def pair_of(spec, rotations):
    return (spec["rotary_dim"] * mpmath.log(spec["original_context"] / (2 * mp.pi * rotations))
            / (2 * mpmath.log(mpf(spec["theta"]))))


def yarn_ramp(spec, k):
    low, high = pair_of(spec, spec.get("beta_fast", 32)), pair_of(spec, spec.get("beta_slow", 1))
    if spec.get("truncate", True):
        low, high = mpmath.floor(low), mpmath.ceil(high)
    low, high = max(low, 0), min(high, spec["rotary_dim"] - 1)
    return min(max((k - low) / (high - low), 0), 1)


def llama3_ramp(spec, k):
    turns = spec["original_context"] * base_frequency(spec, k) / (2 * mp.pi)
    low, high = spec["low_freq_factor"], spec["high_freq_factor"]
    return min(max((high - turns) / (high - low), 0), 1)


def ntk_base(spec, growth):
    d = spec["rotary_dim"]
    return mpf(spec["theta"]) * growth ** (mpf(d) / (d - 2))


def frequency(spec, k, length):
    method, s = spec["method"], mpf(spec.get("factor", 1))
    if method in ("yarn", "ntk_by_parts", "llama3"):
        g = llama3_ramp(spec, k) if method == "llama3" else yarn_ramp(spec, k)
        return base_frequency(spec, k) * (1 - g + g / s)
    if method == "linear":
        return base_frequency(spec, k) / s
    if method == "ntk":
        return base_frequency(spec, k, ntk_base(spec, s))
    if method == "dynamic":
        window = spec["original_context"]
        return base_frequency(spec, k, ntk_base(spec, s * max(length, window) / window - (s - 1)))
    if method == "longrope":
        name = "long_factor" if length > spec["original_context"] else "short_factor"
        return base_frequency(spec, k) / mpf(spec[name][k])
    if method == "proportional":
        turning = int(spec["partial_rotary_factor"] * spec["head_dim"] // 2)
        return base_frequency(spec, k) / s if k < turning else mpf(0)
    return base_frequency(spec, k)  # none, base, per_pair


def amplitude(spec):
    s = mpf(spec.get("factor", 1))
    if spec["method"] == "yarn":
        over = mpf("0.1") * spec.get("mscale", 1) * mpmath.log(s) + 1
        return over / (mpf("0.1") * spec["mscale_all_dim"] * mpmath.log(s) + 1) \
            if "mscale_all_dim" in spec else over
    if spec["method"] == "longrope":
        return mpmath.sqrt(1 + mpmath.log(s) / mpmath.log(spec["original_context"]))
    return mpf(1)


def rotations():
    """Each with pairs strictly inside its ramp."""
    def of(method, dim, theta, **more):
        return {"method": method, "head_dim": dim, "rotary_dim": dim, "theta": theta, **more}
    thirds = [1 + (k % 7) / 8 for k in range(32)]
    yield of("none", 128, 1e4), 0
    yield of("base", 64, 1e7), 0
    yield of("linear", 128, 1e4, factor=3.0), 0
    yield of("ntk", 128, 1e4, factor=4.0), 0
    yield of("dynamic", 128, 1e4, factor=2.0, original_context=4096), 8192
    yield of("dynamic", 64, 5e5, factor=6.0, original_context=3000), 2000
    yield of("ntk_by_parts", 96, 1e6, factor=8.0, original_context=16384), 0
    yield of("yarn", 128, 1e6, factor=4.0, original_context=32768), 0
    yield of("yarn", 64, 1.5e5, factor=32.0, original_context=4096, truncate=False), 0
    yield of("yarn", 64, 1e4, factor=40.0, original_context=4096, mscale=1.0,
             mscale_all_dim=0.707), 0
    yield of("yarn", 64, 1e4, factor=4.0, original_context=512, pair_factor=thirds), 0
    yield of("llama3", 128, 5e5, factor=8.0, original_context=8192, low_freq_factor=1.0,
             high_freq_factor=4.0), 0
    yield of("llama3", 64, 5e5, factor=32.0, original_context=8192, low_freq_factor=1.0,
             high_freq_factor=4.0, pair_factor=thirds), 0
    lists = {"short_factor": [1 + (k % 5) / 16 for k in range(48)],
             "long_factor": [1 + k * k / 16 for k in range(48)]}
    for length in (4096, 4097):
        yield of("longrope", 96, 1e4, factor=32.0, original_context=4096, **lists), length
    yield of("proportional", 64, 1e6, partial_rotary_factor=0.25, factor=2.0), 0
    yield of("per_pair", 64, 1e4, pair_factor=thirds), 0
    partial = of("yarn", 64, 5e5, factor=32.0, original_context=4096, beta_fast=64.0)
    partial["head_dim"] = 128
    yield partial, 0


def row_case(spec, length):
    pairs = spec["rotary_dim"] // 2
    w = [frequency(spec, k, length) for k in range(pairs)]
    a = amplitude(spec)
    chosen = sorted({0, 1, pairs // 4, pairs // 3, pairs // 2, 2 * pairs // 3, pairs - 1})
    rows = [{"position": p, "cos": [float(a * mpmath.cos(p * w[k])) for k in chosen],
             "sin": [float(a * mpmath.sin(p * w[k])) for k in chosen]} for p in POSITIONS]
    name = f"{spec['method']} d={spec['rotary_dim']} s={spec.get('factor', 1):g} L={length}"
    return {"name": name, "spec": spec, "length": length, "attention_factor": float(a),
            "inv_freq": [float(x) for x in w], "pairs": chosen, "rows": rows}


def main():
    if sys.argv[1:] == ["math"]:
        vectors = math_vectors()
        print('{"about": ' + json.dumps(vectors.pop("about")) + ",")
        print(",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(p) for p in points) + "]"
                         for name, points in vectors.items()) + "}")
    elif sys.argv[1:] == ["rows"]:
        cases = [json.dumps(row_case(*rotation)) for rotation in rotations()]
        print('{"about": ' + json.dumps(about()) + ',\n "cases": [')
        print(",\n".join(cases) + "]}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()

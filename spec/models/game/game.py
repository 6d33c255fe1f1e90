#!/usr/bin/env python3
"""The attack game of pairing revision 2. `python3 game.py`: the full size, some minutes; `--quick`: a part of it, in
about a minute. Exit code 1 when a share is more than four standard deviations from what the theory says.

The man in the middle M has seen the genuine page's QR and gets the victim's phone to scan his own; he is the relay of
both legs. The user reads the digits off the GENUINE page, types them into the phone, approves, and types the number
that the phone shows into the page. M wins the phone if the phone says "right", wins both if the page says so as well."""
import math, os, random, sys, time
from handfast2 import *

scale = 0.02 if "--quick" in sys.argv else 1.0
rnd = random.Random(20261129)
rng = rnd.randbytes
bad = 0

def report(name, wins, n, theory=None, note=""):
    global bad
    f = wins / n
    line = f"{name:<74} {wins:>7}/{n:<8} {f:.2e}"
    if theory is not None:
        sd = math.sqrt(max(theory * (1 - theory) / n, 0))
        z = (f - theory) / sd if sd else (0.0 if f == theory else 99.0)
        line += f"  theory {theory:.2e}  z={z:+.1f}"
        if abs(z) > 4: bad += 1; line += "  DIFFERS"
    print(line, note, flush=True)

def N(n): return max(100, int(n * scale))

# ---- revision 1: the audit's attack -------------------------------------------------------------------------------
def old_attack(r):
    """phone leg first; grind e on the page's leg, then Ps (message 3) for NN."""
    page, mine = Page(r, rng), Page(r, rng)
    phone = Phone(r, rng)
    e = phone.scan(mine.qr); o, m2 = mine.read1(e); phone.read2(o, m2)
    while True:
        em = rng(32)
        if check_code(r, h1_fast(page.qr, b"\0" * 16, em), b"") == phone.code: break
    page.read1(em)
    both = phone.type_code(page.shown)
    nn = phone.nn(b"ps")
    while True:
        m3 = rng(32)
        if confirm_number(r, b"", b"", sha(page.h2 + m3)) == nn: break
    page.read3(m3)
    return both, both and page.type_nn(nn)

# ---- strategies against revision 2 ---------------------------------------------------------------------------------
def s_old_grind(r):
    """the same against revision 2: M can only guess the opening while he may still change e."""
    page, mine = Page(r, rng), Page(r, rng)
    phone = Phone(r, rng)
    e = phone.scan(mine.qr); o, m2 = mine.read1(e); phone.read2(o, m2)
    guess = rng(32)                                       # M's best guess of the page's opening
    for _ in range(5 if r.digits > 2 else 30):
        em = rng(32)
        if check_code(r, h1_fast(page.qr, b"\0" * 16, em), guess) == phone.code: break
    page.read1(em)
    ok = phone.type_code(page.shown)
    page.read3()
    return ok, ok and page.type_nn(phone.nn())

def s_page_first(r, grind=400):
    """page's leg first, then everything M may still choose on the phone's leg: attachment ids and the QR before the
    phone's e is known, message 2 after it."""
    page = Page(r, rng); phone = Phone(r, rng)
    page.read1(rng(32)); page.read3()
    mine = Page(r, rng)
    e = phone.scan(mine.qr, rng(16))
    o = mine.opening
    m2 = b""
    if r.sas == "h2":                                     # only then message 2 is worth grinding
        m2 = next(m for m in iter(lambda: rng(16), None) if check_code(r, phone.h1, o, sha(phone.h1 + m)) == page.shown)
    if not phone.read2(o, m2): return False, False
    ok = phone.type_code(page.shown)
    return ok, ok and page.type_nn(phone.nn())

def s_late_opening(r):
    """page's leg first; M opens his own code as suits him, not as committed."""
    page = Page(r, rng); phone = Phone(r, rng)
    page.read1(rng(32)); page.read3()
    mine = Page(r, rng)
    phone.scan(mine.qr)
    for _ in range(20 * 10 ** (r.digits + r.nn)):
        o = rng(32)
        if check_code(r, phone.h1, o) == page.shown and confirm_number(r, phone.h1, o) == page.want: break
        if r.checks_opening and _ > 50: break             # hopeless: a preimage of SHA-256 would be needed
    if not phone.read2(o): return False, False
    ok = phone.type_code(page.shown)
    return ok, ok and page.type_nn(phone.nn())

def s_copy_commitment(r):
    """M shows the genuine `secret` beside a Wq of his own, and opens with what the genuine page opens."""
    page = Page(r, rng); phone = Phone(r, rng)
    wq = rng(32)
    e = phone.scan(QR(wq, page.qr.secret))
    if r.sas == "sum":                                    # both h1 are known while the opening is not: make them agree
        want = int.from_bytes(phone.h1[:8], "big")
        while True:
            em = rng(32)
            if (int.from_bytes(h1_fast(page.qr, b"\0" * 16, em)[:8], "big") - want) % 10 ** r.digits == 0: break
    else: em = rng(32)
    o, _ = page.read1(em); page.read3()
    if not phone.read2(o): return False, False
    ok = phone.type_code(page.shown)
    return ok, ok and page.type_nn(phone.nn())

TABLE = {}
def collisions(r, wq, size):
    """M's table, made once for all victims: openings of one truncated commitment."""
    key = (r.commit_bits, size)
    if key not in TABLE:
        bins = {}
        while True:
            o = rng(32); c = commit(r, wq, o); bins.setdefault(c, []).append(o)
            if len(bins[c]) == size: TABLE[key] = bins[c]; break
    return TABLE[key]
WQ_M = rng(32)
def s_collision(r, size):
    """M has `size` openings of one commitment (possible for a truncated one) and picks the best after the fact."""
    page = Page(r, rng); phone = Phone(r, rng)
    os_ = collisions(r, WQ_M, size)
    page.read1(rng(32)); page.read3()
    phone.scan(QR(WQ_M, commit(r, WQ_M, os_[0])))
    o = next((o for o in os_ if check_code(r, phone.h1, o) == page.shown), os_[0])
    phone.read2(o)
    ok = phone.type_code(page.shown)
    return ok, ok and page.type_nn(phone.nn())

def s_many_pages(r, k):
    """phone waits; M plays k page attempts (new codes) against it, dropping each at once when it does not match."""
    mine = Page(r, rng); phone = Phone(r, rng)
    e = phone.scan(mine.qr); phone.read2(mine.opening)
    for _ in range(k):
        page = Page(r, rng); page.read1(rng(32)); page.read3()
        if page.shown == phone.code: return phone.type_code(page.shown), page.type_nn(phone.nn())
    return False, False

def s_many_scans(r, k):
    """page waits; the user scans k times."""
    page = Page(r, rng); page.read1(rng(32)); page.read3()
    for _ in range(k):
        mine = Page(r, rng); phone = Phone(r, rng)
        phone.scan(mine.qr); phone.read2(mine.opening)
        if page.shown == phone.code: return phone.type_code(page.shown), page.type_nn(phone.nn())
    return False, False

def s_three_tries(r, new_codes):
    """M never drops: the user types what the page shows, three times; with new_codes the page has a new attempt each."""
    mine = Page(r, rng); phone = Phone(r, rng)
    phone.scan(mine.qr); phone.read2(mine.opening)
    page = Page(r, rng); page.read1(rng(32)); page.read3()
    for i in range(3):
        if phone.type_code(page.shown): return True, page.type_nn(phone.nn())
        if new_codes: page = Page(r, rng); page.read1(rng(32)); page.read3()
    return False, False

def s_second_message1(r):
    """M reads the opening, then sends another, ground message 1 under the same code."""
    page = Page(r, rng); mine = Page(r, rng); phone = Phone(r, rng)
    phone.scan(mine.qr); phone.read2(mine.opening)
    o, _ = page.read1(rng(32))
    for _ in range(10 * 10 ** r.digits):
        em = rng(32)
        if check_code(r, h1_fast(page.qr, b"\0" * 16, em), o) == phone.code: break
        if r.answers == 1 and _ > 20: break
    if page.read1(em) is None: pass                       # refused; the page still shows the first digits
    page.read3()
    ok = phone.type_code(page.shown)
    return ok, ok and page.type_nn(phone.nn())

def run(name, f, r, n, theory=None, both=None, note=""):
    n = N(n); a = b = 0; t = time.time()
    for _ in range(n):
        x, y = f(r); a += x; b += y
    report(name, a, n, theory, note + f"[{time.time()-t:.0f} s]")
    if both is not None: report("    .. and the page says yes too", b, n, both)

R = Rules
print("== revision 1 (check code of h1, NN of h): grinding")
run("old, 2+1 digits", old_attack, R(digits=2, nn=1, sas="old"), 20000, 1, 1)
run("old, 4+2 digits", old_attack, R(sas="old"), 400, 1, 1)
print("== revision 2, single draws")
for d, nn, n in ((1, 1, 100000), (2, 1, 200000), (3, 1, 400000), (4, 2, 2000000)):
    run(f"old grinding, {d}+{nn} digits", s_old_grind, R(digits=d, nn=nn), n if d < 4 else n // 4, 10.0 ** -d, 10.0 ** -(d + nn))
run("page's leg first, 4+2", s_page_first, R(), 2000000, 1e-4, 1e-6)
run("page's leg first, 2+1", s_page_first, R(digits=2, nn=1), 200000, 1e-2, 1e-3)
run("late opening, 4+2", s_late_opening, R(), 20000, 0)
run("commitment copied beside another Wq, 4+2", s_copy_commitment, R(), 200000, 0)
run("a second message 1 under one code, 3+1", s_second_message1, R(digits=3, nn=1), 100000, 1e-3, 1e-4)
run("three tries, same page attempt, 3+1", lambda r: s_three_tries(r, False), R(digits=3, nn=1), 200000, 1e-3)
print("== revision 2, several draws (theory 1-(1-p)^k)")
for k in (2, 5, 20):
    run(f"{k} page attempts for one scan, 3+1", lambda r: s_many_pages(r, k), R(digits=3, nn=1), 200000 // k, 1 - (1 - 1e-3) ** k)
    run(f"{k} scans for one page attempt, 3+1", lambda r: s_many_scans(r, k), R(digits=3, nn=1), 200000 // k, 1 - (1 - 1e-3) ** k)
run("three tries, the user has the page start anew each time, 3+1", lambda r: s_three_tries(r, True), R(digits=3, nn=1), 200000, 1 - (1 - 1e-3) ** 3)
run("60 page attempts for one scan (page renews codes by itself), 4+2", lambda r: s_many_pages(r, 60), R(), 20000, 1 - (1 - 1e-4) ** 60)
print("== twins that must fail")
run("TWIN opening not checked, 2+1", s_late_opening, R(digits=2, nn=1, checks_opening=False), 2000, 1, 1)
run("TWIN code = f(h after message 2), page's leg first, 3+2  (option A as often stated)", s_page_first, R(digits=3, sas="h2"), 2000, 1)
run("TWIN sum instead of hash, Wq not in the commitment, copied, 3+1", s_copy_commitment, R(digits=3, nn=1, sas="sum", commit_binds_wq=False), 5000)
run("TWIN hash, but Wq not in the commitment, copied, 3+1", s_copy_commitment, R(digits=3, nn=1, commit_binds_wq=False), 200000, 1e-3)
run("TWIN one code answers twice, 2+1", s_second_message1, R(digits=2, nn=1, answers=2), 5000, 1)
run("TWIN commitment of 24 bits, 2 openings, 3+1", lambda r: s_collision(r, 2), R(digits=3, nn=1, commit_bits=24), 200000, 1 - (1 - 1e-3) ** 2)
run("TWIN commitment of 12 bits, 200 openings, 2+1", lambda r: s_collision(r, 200), R(digits=2, nn=1, commit_bits=12), 5000, 1 - (1 - 1e-2) ** 200)

print("== the page's question, a stranger's phone (SP-5): the user's own phone shows no number")
def stranger(mode, attentive, n):
    """attentive: share of users who look at their phone before they answer; the others do what is quickest."""
    wins = 0
    for _ in range(n):
        page = Page(R(), rng); page.read1(rng(32)); page.read3()
        if rnd.random() < attentive: continue             # sees no number: says so
        if mode == "yes": wins += 1
        elif mode == "one of 3":
            three = [page.want] + rnd.sample([x for x in range(100) if x != page.want], 2)
            wins += rnd.choice(three) == page.want
        else: wins += page.type_nn(rnd.randrange(100))
    return wins
for mode, p in (("yes", 1), ("one of 3", 1 / 3), ("typed", 1e-2)):
    for att in (0.0, 0.5, 0.9):
        n = N(60000); report(f"{mode:<9} {att:.0%} of users look", stranger(mode, att, n), n, (1 - att) * p)
print("== as expected" if not bad else f"== {bad} DIFFER")
sys.exit(bool(bad))

# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize gas
"""
@title Executor: a list of liquidations in one transaction
@license MIT
@notice
    Laws
    - Only an allow-listed caller starts anything, and only before the plan's last block.
    - Orders live in transient storage. A callback believes nothing it is handed but what it owes: it runs once, only
      for the one address it was armed for, and only while `execute` is under way.
    - A step spends what the step itself obtained, never the float. The float in WETH is guarded by the measured
      profit, which is at least zero; every other token by counting what came in. The factories' own pools and the
      market are believed when they say what they lent; other lenders and pools are counted too.
    - Steps may share a loan: those that are still worth a try are gathered, their lender lends for all of them at once,
      and each is run in its callback as if it were paid from the float. One that fails leaves its part of the loan to
      be given back. The first that is done brings the whole fee, so the loan is good whoever fails after it; when
      nobody is done it never happened. At its end the float has what it had, whatever the steps counted.
    - Whoever gets an approval or opaque calldata is allow-listed for it. A pool gets neither, and is the child of one of
      the factories unless it is allow-listed. Approvals are exact, and zero again when the step ends.
    - A step of another style than Aave's says what to call. Whatever the market sends is counted, and what it takes is
      bounded by an approval; so is what it is owed by what the step has brought, before it is approved.
    - Profit is the growth of the balance of WETH. The bid is a share of what was measured, and is paid last.
    - Tokens leave for the treasury only, and the treasury never changes.
    A market that calls back by another name becomes another callback beside `onMorphoLiquidate`.
    Lines between `# [name` and `# name]` are a guard that `keeper bench gas` leaves out to tell what it costs.
"""

interface Token:
    def balanceOf(owner: address) -> uint256: view
    def allowance(owner: address, spender: address) -> uint256: view
    def approve(spender: address, amount: uint256) -> bool: nonpayable

interface Weth:
    def withdraw(amount: uint256): nonpayable

interface DebtToken:
    def scaledBalanceOf(account: address) -> uint256: view

interface Vault:
    def redeem(shares: uint256, receiver: address, owner: address) -> uint256: nonpayable

interface CToken:
    def redeem(tokens: uint256) -> uint256: nonpayable

interface Self:
    def call_out(stage: uint256, owed: uint256): nonpayable
    def borrow(source: address) -> uint256: nonpayable
    def share(owed: uint256): nonpayable
    def route_through(router: address, token: address, amount: uint256, at: uint256, size: uint256) -> uint256: nonpayable

interface Market:
    def getReserveData(asset: address) -> uint256[15]: view
    def withdraw(asset: address, amount: uint256, to: address) -> uint256: nonpayable

interface PoolV2:
    def getReserves() -> (uint256, uint256, uint256): view
    def swap(out0: uint256, out1: uint256, to: address, data: Bytes[1]): nonpayable

interface PoolV3:
    def swap(to: address, zero_for_one: bool, amount: int256, limit: uint160, data: Bytes[1]) -> (int256, int256): nonpayable

event RolesSet:
    target: indexed(address)
    roles: uint256

event OwnershipOffered:
    to: indexed(address)

event OwnershipTaken:
    by: indexed(address)

event Swept:
    token: indexed(address)
    amount: uint256

event Skipped:
    step: uint256
    reason: Bytes[ERROR]

struct Factory:
    deployer: address
    init_hash: bytes32

# Roles: what the owner allows an address to be.
CALLER: constant(uint256) = 1  # may execute and sweep
MARKET: constant(uint256) = 2  # may be liquidated on as Aave is, and borrowed from: gets approvals
ROUTER: constant(uint256) = 4  # may be called with opaque calldata: gets approvals
POOL: constant(uint256) = 8  # may be swapped in although no factory made it
CALLED: constant(uint256) = 16  # may be called as a step says: gets approvals

# Funding kinds.
OWN: constant(uint256) = 0
FLASH_SWAP: constant(uint256) = 1
AAVE: constant(uint256) = 2
BALANCER: constant(uint256) = 3
MORPHO: constant(uint256) = 4

# Styles. Prefunded steps, bounties and takeovers are one: calls, then what came of them.
AAVE_STYLE: constant(uint256) = 0
CALLBACK: constant(uint256) = 2
CLIP: constant(uint256) = 3

# Stages of a step's calls.
FIRST_CALLS: constant(uint256) = 0
SEIZED: constant(uint256) = 1
SOLD: constant(uint256) = 2
LAST_CALLS: constant(uint256) = 3

# Venues.
UNISWAP_V2: constant(uint256) = 0
UNISWAP_V3: constant(uint256) = 1
ROUTED: constant(uint256) = 2
ERC4626: constant(uint256) = 3
CTOKEN: constant(uint256) = 4

# The gate: idle, busy, or an address with the callback it is awaited for.
IDLE: constant(uint256) = 0
BUSY: constant(uint256) = 1
HOP: constant(uint256) = 255 << 160  # a swap's callback; fundings await with their kind
MARKETS: constant(uint256) = 16  # and markets that call back with their style, and this
GATE_SHIFT: constant(uint256) = 160

# Flags of a step.
SKIPPABLE: constant(uint256) = 1 << 168  # its failure is logged, not fatal
WRAPPED: constant(uint256) = 1 << 169  # collateral comes as the receipt token; what the market has is withdrawn
WITNESS: constant(uint256) = 1 << 170  # a word with the debt token follows: too little debt is an early exit
SOURCE: constant(uint256) = 1 << 171  # a word with the lender or allow-listed pool follows
PROBE: constant(uint256) = 1 << 172  # the market is asked for the account's health before anything is borrowed
SHARED: constant(uint256) = 1 << 173  # borrows together with the steps around it
CLOSING: constant(uint256) = 1 << 174  # is the last of those: now the loan is taken
LOAN: constant(uint256) = 1 << 175  # is such a loan itself; no step of the calldata

# A step's style, and the words of its calls.
STYLE_SHIFT: constant(uint256) = 184
CALLS_SHIFT: constant(uint256) = 224

# A call: target, selector, words of arguments, stage, and whether it answers an error number.
WORDS_SHIFT: constant(uint256) = 192
STAGE_SHIFT: constant(uint256) = 200
CODED: constant(uint256) = 1 << 208

# Flags of a hop.
FIRST: constant(uint256) = 1 << 192  # starts from the step's collateral
FIXED: constant(uint256) = 1 << 193  # a word with the amount to sell follows, else all there is
EXACT_OUT: constant(uint256) = 1 << 194  # buys what the step still owes, else sells
LISTED: constant(uint256) = 1 << 195  # a word with the allow-listed pool or router follows

U8: constant(uint256) = 2**8 - 1
U16: constant(uint256) = 2**16 - 1
U24: constant(uint256) = 2**24 - 1
U32: constant(uint256) = 2**32 - 1
U64: constant(uint256) = 2**64 - 1
U128: constant(uint256) = 2**128 - 1
U160: constant(uint256) = 2**160 - 1

UNFUNDED: constant(uint256) = max_value(uint256) ^ (SOURCE | U8 << 160)  # all of a step's first word but who pays

WAD: constant(uint256) = 10**18
RAY: constant(uint256) = 10**27
BPS: constant(uint256) = 10_000
PIPS: constant(uint256) = 1_000_000
BID_GAS: constant(uint256) = 30_000
MIN_SQRT_PRICE: constant(uint160) = 4295128740
MAX_SQRT_PRICE: constant(uint160) = 1461446703485210103287273052203988822378723970341

HEAD_END: constant(uint256) = 36  # selector and head
STEP: constant(uint256) = 160
STEPS: constant(uint256) = 128
ROUTE: constant(uint256) = 128
GATHERED: constant(uint256) = 1024  # words of the steps that share a loan
ROUTED_DATA: constant(uint256) = 64  # words of a router's calldata
CALLS: constant(uint256) = 16
ARGUMENTS: constant(uint256) = 32  # words of one call
QUESTION: constant(uint256) = 100  # bytes of what a witness is asked: what it does not need it ignores
CONVERSIONS: constant(uint256) = 8
ERROR: constant(uint256) = 132

WETH: public(immutable(address))
TREASURY: public(immutable(address))
FACTORIES: immutable(Factory[4])  # whose pools need no role

owner: public(address)
heir: public(address)
roles: public(HashMap[address, uint256])

gate: transient(uint256)
order: transient(uint256[5])  # the step under way
route: transient(uint256[ROUTE])  # its hops, then who takes what is repaid, then its calls
lent: transient(uint256)  # the least balance of the debt asset once its allow-listed source has lent
held: transient(uint256)  # of the collateral, before the market that calls back is called
gathered: transient(uint256[GATHERED])  # the steps that share a loan: their words without those of witness and lender
needed: transient(uint256)  # how many words these are:16, then what the steps borrow together
members: transient(uint256)  # which steps they are, a bit each
undone: transient(uint256)  # and which of them failed
due: transient(uint256)  # what of the shared loan's fee nobody has brought yet
coin: transient(address)  # what the hop under way pays with
limit: transient(uint256)  # and how much of it may still go


@deploy
def __init__(owner: address, treasury: address, weth: address, factories: Factory[4]):
    assert owner != empty(address) and treasury != empty(address)
    WETH = weth
    TREASURY = treasury
    FACTORIES = factories
    self.owner = owner


# --- execution ------------------------------------------------------------------------------------------------------


@external
def execute(head: uint256) -> (uint256, uint256, uint256):
    """
    @notice Runs a plan. Its words follow `head` in the calldata: conversions, then steps (see encode.py).
    @param head Minimum profit (128 bits), last block (64), bid in bps (16), conversions (16), steps (16).
    @return Measured profit, bid paid out of it, and a bit for each skipped step.
    """
    # [caller
    if self.roles[msg.sender] & CALLER == 0:
        raw_revert(method_id("Forbidden()"))
    # caller]
    # [deadline
    if block.number > (head >> 128) & U64:
        raw_revert(method_id("Expired()"))
    # deadline]
    # [lock
    if self.gate != IDLE:
        raw_revert(method_id("Busy()"))
    # lock]
    # [profit
    before: uint256 = self._balance(WETH)
    # profit]
    skipped: uint256 = self._run((head >> 208) & U16, (head >> 224) & U16)
    profit: uint256 = 0
    # [profit
    after: uint256 = self._balance(WETH)
    if after < before + (head & U128):
        raw_revert(abi_encode(before, after, head & U128, method_id=method_id("Unprofitable(uint256,uint256,uint256)")))
    profit = after - before
    # profit]
    bid: uint256 = profit * min((head >> 192) & U16, BPS) // BPS
    if bid != 0:
        self._pay_bid(bid)
    self.gate = IDLE
    return profit, bid, skipped


@internal
def _run(conversions: uint256, steps: uint256) -> uint256:
    at: uint256 = HEAD_END
    start: uint256[CONVERSIONS] = empty(uint256[CONVERSIONS])
    for i: uint256 in range(conversions, bound=CONVERSIONS):
        word: uint256 = self._word(at)
        start[i] = self._balance(convert(word & U160, address))
        at += 32 + 32 * ((word >> 160) & U8)
    skipped: uint256 = 0
    for i: uint256 in range(steps, bound=STEPS):
        lost: uint256 = 0
        at, lost = self._step(i, at)
        skipped |= lost
    if skipped + 1 == 1 << steps:
        raw_revert(method_id("NothingDone()"))
    at = HEAD_END
    for i: uint256 in range(conversions, bound=CONVERSIONS):
        word: uint256 = self._word(at)
        token: address = convert(word & U160, address)
        count: uint256 = (word >> 160) & U8
        self._load_route(at + 32, count)
        at += 32 + 32 * count
        rest: uint256 = self._balance(token) - start[i]
        if rest != 0:
            self._sell(count, token, rest, WETH, 0, 0)
    return skipped


@internal
def _step(step: uint256, start: uint256) -> (uint256, uint256):
    """
    @notice Runs the step whose words begin at `start` of the calldata: where the next one begins, and a bit for each
        step that is now known to be skipped.
    """
    order: uint256[5] = abi_decode(slice(msg.data, start, STEP), uint256[5])
    at: uint256 = start + STEP
    style: uint256 = (order[0] >> STYLE_SHIFT) & U8
    # [market
    if self.roles[convert(order[0] & U160, address)] & (MARKET if style == AAVE_STYLE else CALLED) == 0:
        raw_revert(method_id("Forbidden()"))
    # market]
    gone: bool = False
    # [witness
    if order[0] & WITNESS != 0:
        word: uint256 = self._word(at)
        witness: address = convert(word & U160, address)
        if style == AAVE_STYLE:
            debt: uint256 = staticcall DebtToken(witness).scaledBalanceOf(convert(order[1] & U160, address))
            gone = debt < order[1] >> 160
            at += 32
        else:
            gone = self._asked(witness, at + 64, (word >> 160) & U8) < self._word(at + 32)
            at += 192
    # witness]
    source: address = empty(address)
    if order[0] & SOURCE != 0:
        source = convert(self._word(at) & U160, address)
        at += 32
    count: uint256 = ((order[0] >> 176) & U8) + ((order[0] >> CALLS_SHIFT) & U8)
    if gone or order[0] & (PROBE | SHARED) != 0:
        if gone:
            self._give_up(1 << step, order[0], abi_encode(order[1] & U160, method_id=method_id("Gone(address)")))
        # [probe
        elif order[0] & PROBE != 0 and self._healthy(order):
            gone = True
            self._give_up(1 << step, order[0], abi_encode(order[1] & U160, method_id=method_id("Healthy(address)")))
        # probe]
        lost: uint256 = 1 << step if gone else 0
        if order[0] & SHARED != 0:
            if not gone:
                self._gather(step, order, at, count)
            if order[0] & CLOSING != 0:
                self.order = order
                lost |= extcall Self(self).borrow(source)
            return at + 32 * count, lost
        if gone:
            return at + 32 * count, lost
    self.order = order
    if count != 0:
        self._load_route(at, count)
    return at + 32 * count, 0 if self._fund(1 << step, order, source) else 1 << step


@internal
def _gather(step: uint256, order: uint256[5], at: uint256, count: uint256):
    """
    @notice Keeps a step for the shared loan's callback, which does not see this calldata.
    """
    known: uint256 = self.needed
    place: uint256 = known & U16
    self.gathered[place] = order[0]
    self.gathered[place + 1] = (order[1] & U160) | (step << 160)
    for i: uint256 in range(2, 5):
        self.gathered[place + i] = order[i]
    for i: uint256 in range(count, bound=ROUTE):
        self.gathered[place + 5 + i] = self._word(at + 32 * i)
    self.needed = known + 5 + count + ((order[4] >> 128) << 16)
    self.members |= 1 << step


@external
def borrow(source: address) -> uint256:
    """
    @notice Takes the loan of the gathered steps from the lender of the last of them, which is the order under way: those
        that failed. Called by this contract itself, so that the memory it needs is paid for only by those who use it.
    """
    if msg.sender != self:
        raw_revert(method_id("Forbidden()"))
    members: uint256 = self.members
    flags: uint256 = self.order[0]
    if (flags >> 160) & U8 < AAVE:
        raw_revert(method_id("Forbidden()"))
    undone: uint256 = members
    if members != 0:
        lender: address = convert(flags & U160, address) if source == empty(address) else source
        kept: uint256 = flags & (U8 << 160 | SKIPPABLE)
        loan: uint256[5] = [kept | SOURCE | LOAN, 0, 0, self.order[3], (self.needed >> 16) << 128]
        self.order = loan
        if self._fund(members, loan, lender):
            undone = self.undone
        self.needed = 0
        self.members = 0
    return undone


@internal
def _fund(steps: uint256, order: uint256[5], source: address) -> bool:
    """
    @notice Arms the gate and obtains the debt asset; the rest of the step happens in the callback. All or nothing,
        because it is one call.
    """
    kind: uint256 = (order[0] >> 160) & U8
    gas_limit: uint256 = (order[0] >> 192) & U32
    if gas_limit == 0:
        gas_limit = msg.gas
    debt: address = convert(order[3] & U160, address)
    amount: uint256 = order[4] >> 128
    data: Bytes[324] = b""
    target: address = source
    if kind == FLASH_SWAP:
        pay: address = self._pay_token(order[2])
        target = self._pool(source, pay, debt, order[2])
        up: bool = convert(pay, uint160) < convert(debt, uint160)
        data = abi_encode(
            self,
            up,
            -convert(amount, int256),
            MIN_SQRT_PRICE if up else MAX_SQRT_PRICE,
            b"",
            method_id=method_id("swap(address,bool,int256,uint160,bytes)"),
        )
    elif kind == OWN:
        target = self
        data = method_id("own()")
    else:
        if source == empty(address):
            target = convert(order[0] & U160, address)
        # [market
        elif self.roles[source] & MARKET == 0:
            raw_revert(method_id("Forbidden()"))
        # market]
        if kind == AAVE:
            data = abi_encode(
                self,
                debt,
                amount,
                b"",
                empty(uint16),
                method_id=method_id("flashLoanSimple(address,address,uint256,bytes,uint16)"),
            )
        elif kind == MORPHO:
            data = abi_encode(debt, amount, b"", method_id=method_id("flashLoan(address,uint256,bytes)"))
        else:
            tokens: DynArray[address, 1] = [debt]
            amounts: DynArray[uint256, 1] = [amount]
            data = abi_encode(
                self, tokens, amounts, b"", method_id=method_id("flashLoan(address,address[],uint256[],bytes)")
            )
    # [lent
    if order[0] & SOURCE != 0:
        self.lent = self._balance(debt) + amount
    # lent]
    self.gate = convert(target, uint256) | (kind << GATE_SHIFT)
    done: bool = False
    reason: Bytes[ERROR] = b""
    done, reason = raw_call(target, data, max_outsize=ERROR, gas=gas_limit, revert_on_failure=False)
    if not done:
        self.gate = BUSY
        self._give_up(steps, order[0], reason)
        return False
    # [callback
    if self.gate != BUSY:
        raw_revert(method_id("NoCallback()"))
    # callback]
    return True


@internal
def _give_up(steps: uint256, flags: uint256, reason: Bytes[ERROR]):
    if flags & SKIPPABLE == 0:
        raw_revert(reason)
    for i: uint256 in range(STEPS):
        if steps >> i == 0:
            break
        if (steps >> i) & 1 != 0:
            log Skipped(step=i, reason=reason)


@internal
@view
def _asked(witness: address, at: uint256, place: uint256) -> uint256:
    """
    @notice A word of what somebody answers to the question at `at` of the calldata; zero where there is no answer.
    """
    done: bool = False
    answer: Bytes[256] = b""
    done, answer = raw_call(
        witness, slice(msg.data, at, QUESTION), max_outsize=256, is_static_call=True, revert_on_failure=False
    )
    if not done or len(answer) < 32 * (place + 1):
        return 0
    return extract32(answer, 32 * place, output_type=uint256)


# --- callbacks ------------------------------------------------------------------------------------------------------


@external
def uniswapV3SwapCallback(delta0: int256, delta1: int256, data: Bytes[1]):
    owed: uint256 = convert(max(delta0, delta1), uint256)
    armed: uint256 = self.gate
    self.gate = BUSY
    if armed == convert(msg.sender, uint256) | HOP:
        limit: uint256 = self.limit
        if owed > limit:
            raw_revert(abi_encode(limit, owed, method_id=method_id("Short(uint256,uint256)")))
        self.limit = limit - owed
        self._pay(self.coin, msg.sender, owed)
    elif armed == convert(msg.sender, uint256) | (FLASH_SWAP << GATE_SHIFT):
        self._work(owed)
    else:
        raw_revert(method_id("Foreign()"))


@external
def executeOperation(asset: address, amount: uint256, premium: uint256, initiator: address, data: Bytes[1]) -> bool:
    self._enter(AAVE)
    # [initiator
    if initiator != self:
        raw_revert(method_id("Foreign()"))
    # initiator]
    self._work(amount + premium)
    return True


@external
def receiveFlashLoan(tokens: DynArray[address, 1], amounts: DynArray[uint256, 1], fees: DynArray[uint256, 1], data: Bytes[1]):
    self._enter(BALANCER)
    self._work(amounts[0] + fees[0])


@external
def onMorphoFlashLoan(amount: uint256, data: Bytes[1]):
    self._enter(MORPHO)
    self._work(amount)


@external
def own():
    """
    @notice A step that nobody lends to, called by this contract itself so that it is all or nothing: it is paid from the
        float, or by a market that pays first.
    """
    self._enter(OWN)
    flags: uint256 = self.order[0]
    style: uint256 = (flags >> STYLE_SHIFT) & U8
    if style == CALLBACK or style == CLIP:
        self._take()
    elif flags & SHARED != 0:
        self._work((self.order[4] >> 128) + self.due)
    else:
        self._work(self.order[4] >> 128)


@external
def share(owed: uint256):
    """
    @notice Runs the gathered steps on what their lender has just lent, so that `owed` is there to be given back. Called
        by this contract itself, so that the memory it needs is paid for only by those who use it.
    """
    if msg.sender != self:
        raw_revert(method_id("Forbidden()"))
    loan: uint256[5] = self.order
    debt: address = convert(loan[3] & U160, address)
    lent: uint256 = loan[4] >> 128
    before: uint256 = self._balance(debt) - lent
    self.due = owed - lent
    end: uint256 = self.needed & U16
    undone: uint256 = 0
    at: uint256 = 0
    for _: uint256 in range(STEPS):
        if at == end:
            break
        order: uint256[5] = empty(uint256[5])
        for i: uint256 in range(5):
            order[i] = self.gathered[at + i]
        if (order[3] ^ loan[3]) & U160 != 0:
            raw_revert(method_id("Foreign()"))
        at += 5
        count: uint256 = ((order[0] >> 176) & U8) + ((order[0] >> CALLS_SHIFT) & U8)
        for i: uint256 in range(count, bound=ROUTE):
            self.route[i] = self.gathered[at + i]
        at += count
        order[0] &= UNFUNDED
        self.order = order
        step: uint256 = 1 << (order[1] >> 160)
        if self._fund(step, order, empty(address)):
            self.due = 0
        else:
            undone |= step
    if undone == self.members:
        raw_revert(method_id("NothingDone()"))
    after: uint256 = self._balance(debt)
    if after < before + owed:
        raw_revert(abi_encode(after, before + owed, method_id=method_id("Short(uint256,uint256)")))
    self.undone = undone


@external
def onMorphoLiquidate(repaid: uint256, data: Bytes[32]):
    self._enter(MARKETS + CALLBACK)
    self._earn(repaid)


@external
def onPreLiquidate(repaid: uint256, data: Bytes[32]):
    self._enter(MARKETS + CALLBACK)
    self._earn(repaid)


@external
def clipperCall(sender: address, owe: uint256, slice_: uint256, data: Bytes[32]):
    self._enter(MARKETS + CLIP)
    # [initiator
    if sender != self:
        raw_revert(method_id("Foreign()"))
    # initiator]
    extcall Self(self).call_out(SEIZED, 0)
    owed: uint256 = (owe + RAY - 1) // RAY
    self._earn(owed)
    extcall Self(self).call_out(SOLD, owed)


@internal
@view
def _pay_token(word: uint256) -> address:
    """
    @notice What a flash swap is paid with: the collateral, or what the last hop brings.
    """
    last: uint256 = word >> 216
    if last == 0:
        return convert(word & U160, address)
    return convert(self.route[last - 1] & U160, address)


@internal
def _enter(kind: uint256):
    if self.gate != convert(msg.sender, uint256) | (kind << GATE_SHIFT):
        raw_revert(method_id("Foreign()"))
    self.gate = BUSY


# --- the work of a step ---------------------------------------------------------------------------------------------


@internal
def _work(owed: uint256):
    """
    @notice Liquidates, sells, and gives back what is owed to the caller of the callback.
    """
    order: uint256[5] = self.order
    kind: uint256 = (order[0] >> 160) & U8
    count: uint256 = (order[0] >> 176) & U8
    market: address = convert(order[0] & U160, address)
    debt: address = convert(order[3] & U160, address)
    # [lent
    if order[0] & SOURCE != 0 and self._balance(debt) < self.lent:
        raw_revert(method_id("NotLent()"))
    # lent]
    pay: address = debt
    pulled: uint256 = 0  # what the market, being the lender too, takes back by the same approval
    if order[0] & LOAN != 0:
        extcall Self(self).share(owed)
    else:
        if kind == AAVE and msg.sender == market:
            pulled = owed
        received: uint256 = 0
        unspent: uint256 = 0
        received, unspent = self._settle(order, count, pulled)
        have: uint256 = (order[4] >> 128) - (order[4] & U128) + unspent
        if kind == FLASH_SWAP:
            pay = self._pay_token(order[2])
            have = received if count == 0 else 0
        elif order[2] & U160 == order[3] & U160:
            have = (order[4] >> 128) + received  # one asset is both: what was paid is already taken off
        if count != 0:
            have = self._sell(count, convert(order[2] & U160, address), received, pay, owed, have)
        if have < owed:
            raw_revert(abi_encode(have, owed, method_id=method_id("Short(uint256,uint256)")))
    if kind == FLASH_SWAP or kind == BALANCER:
        self._pay(pay, msg.sender, owed)
    elif kind != OWN and pulled == 0:
        assert extcall Token(pay).approve(msg.sender, owed, default_return_value=True)


@internal
def _settle(order: uint256[5], count: uint256, pulled: uint256) -> (uint256, uint256):
    """
    @notice One liquidation: collateral received, and what was not spent of the repay amount.
    """
    if (order[0] >> STYLE_SHIFT) & U8 != AAVE_STYLE:
        return self._settle_by_calls(order)
    market: address = convert(order[0] & U160, address)
    collateral: address = convert(order[2] & U160, address)
    debt: address = convert(order[3] & U160, address)
    repay: uint256 = order[4] & U128
    wrapped: bool = order[0] & WRAPPED != 0
    measured: address = collateral
    if wrapped:
        measured = convert((staticcall Market(market).getReserveData(collateral))[8] & U160, address)
    elif collateral == WETH and count == 0 and order[0] & (SKIPPABLE | U8 << 160) == FLASH_SWAP << 160:
        measured = empty(address)  # a single direct flash swap for WETH: its profit says it all
    before: uint256 = 0
    if measured != empty(address):
        before = self._balance(measured)
    assert extcall Token(debt).approve(market, repay + pulled, default_return_value=True)
    raw_call(
        market,
        abi_encode(
            collateral,
            debt,
            order[1] & U160,
            repay,
            wrapped,
            method_id=method_id("liquidationCall(address,address,address,uint256,bool)"),
        ),
    )
    received: uint256 = max_value(uint256)
    if measured != empty(address):
        received = self._balance(measured) - before
    if wrapped:
        there: uint256 = staticcall Token(collateral).balanceOf(measured)
        received = extcall Market(market).withdraw(collateral, min(received, there), self)
    unspent: uint256 = 0
    # [allowance
    unspent = staticcall Token(debt).allowance(self, market) - pulled
    if unspent != 0:
        assert extcall Token(debt).approve(market, 0, default_return_value=True)
        if pulled != 0:
            assert extcall Token(debt).approve(market, pulled, default_return_value=True)
    # allowance]
    return received, unspent


@internal
def _settle_by_calls(order: uint256[5]) -> (uint256, uint256):
    """
    @notice The same on any other market. Of one asset that is repaid and received, what came is less what went.
    """
    collateral: address = convert(order[2] & U160, address)
    before: uint256 = self._balance(collateral)
    repay: uint256 = order[4] & U128
    spender: address = self._spender(order[0])
    if repay != 0:
        self._approve(order[3], spender, repay)
    extcall Self(self).call_out(FIRST_CALLS, 0)
    extcall Self(self).call_out(LAST_CALLS, 0)
    after: uint256 = self._balance(collateral)
    if after < before:
        raw_revert(abi_encode(after, before, method_id=method_id("Short(uint256,uint256)")))
    return after - before, self._take_back(order[3], spender) if repay != 0 else 0


@internal
def _take():
    """
    @notice A liquidation on a market that pays first and calls back: `_earn` happens in the middle of it.
    """
    order: uint256[5] = self.order
    self.held = self._balance(convert(order[2] & U160, address))
    extcall Self(self).call_out(FIRST_CALLS, 0)
    extcall Self(self).call_out(LAST_CALLS, 0)
    self._take_back(order[3], self._spender(order[0]))


@internal
def _earn(owed: uint256):
    """
    @notice Sells what the market has sent, and lets it take what it is owed.
    """
    order: uint256[5] = self.order
    count: uint256 = (order[0] >> 176) & U8
    collateral: address = convert(order[2] & U160, address)
    debt: address = convert(order[3] & U160, address)
    received: uint256 = self._balance(collateral) - self.held
    have: uint256 = received if collateral == debt else 0
    if count != 0:
        have = self._sell(count, collateral, received, debt, owed, have)
    if have < owed:
        raw_revert(abi_encode(have, owed, method_id=method_id("Short(uint256,uint256)")))
    self._approve(order[3], self._spender(order[0]), owed)


@internal
@view
def _spender(flags: uint256) -> address:
    return convert(self.route[(flags >> 176) & U8] & U160, address)


@internal
def _approve(word: uint256, spender: address, amount: uint256):
    # [spender
    if self.roles[spender] & CALLED == 0:
        raw_revert(method_id("Forbidden()"))
    # spender]
    assert extcall Token(convert(word & U160, address)).approve(spender, amount, default_return_value=True)


@internal
def _take_back(word: uint256, spender: address) -> uint256:
    """
    @notice What was approved and not taken, which is approved no more.
    """
    unspent: uint256 = 0
    # [allowance
    debt: address = convert(word & U160, address)
    unspent = staticcall Token(debt).allowance(self, spender)
    if unspent != 0:
        assert extcall Token(debt).approve(spender, 0, default_return_value=True)
    # allowance]
    return unspent


@external
def call_out(stage: uint256, owed: uint256):
    """
    @notice Makes the step's calls of a stage; `owed` is the last word of those that are made once it has sold. Called by
        this contract itself, so that the memory it needs is paid for only by those who use it.
    """
    if msg.sender != self:
        raw_revert(method_id("Forbidden()"))
    flags: uint256 = self.order[0]
    style: uint256 = (flags >> STYLE_SHIFT) & U8
    at: uint256 = ((flags >> 176) & U8) + 1
    end: uint256 = at + ((flags >> CALLS_SHIFT) & U8) - 1
    for _: uint256 in range(CALLS):
        if at == end:
            break
        call: uint256 = self.route[at]
        size: uint256 = (call >> WORDS_SHIFT) & U8
        if (call >> STAGE_SHIFT) & U8 == stage:
            words: DynArray[uint256, ARGUMENTS] = []
            for i: uint256 in range(size, bound=ARGUMENTS):
                words.append(self.route[at + 1 + i])
            if stage == SOLD:
                words[size - 1] = owed
            self._call(call, words, stage == FIRST_CALLS and (style == CALLBACK or style == CLIP), flags, style)
        at += 1 + size


@internal
def _call(call: uint256, words: DynArray[uint256, ARGUMENTS], calls_back: bool, flags: uint256, style: uint256):
    target: address = convert(call & U160, address)
    # [target
    if self.roles[target] & CALLED == 0:
        raw_revert(method_id("Forbidden()"))
    # target]
    selector: bytes4 = convert(convert((call >> 160) & U32, uint32), bytes4)
    awaited: bool = calls_back and call & U160 == flags & U160
    if awaited:
        self.gate = (call & U160) | ((MARKETS + style) << GATE_SHIFT)
    answer: Bytes[32] = raw_call(
        target, concat(selector, slice(abi_encode(words), 64, 32 * len(words))), max_outsize=32
    )
    # [callback
    if awaited and self.gate != BUSY:
        raw_revert(method_id("NoCallback()"))
    # callback]
    # [coded
    if call & CODED != 0 and (len(answer) != 32 or convert(answer, uint256) != 0):
        raw_revert(abi_encode(target, answer, method_id=method_id("Refused(address,bytes)")))
    # coded]


@internal
@view
def _healthy(order: uint256[5]) -> bool:
    """
    @notice Whether Aave would refuse the account; a market that does not answer leaves the question to the liquidation.
    """
    done: bool = False
    data: Bytes[192] = b""
    done, data = raw_call(
        convert(order[0] & U160, address),
        abi_encode(order[1] & U160, method_id=method_id("getUserAccountData(address)")),
        max_outsize=192,
        is_static_call=True,
        revert_on_failure=False,
    )
    return done and len(data) == 192 and extract32(data, 160, output_type=uint256) >= WAD


# --- selling --------------------------------------------------------------------------------------------------------


@internal
def _sell(count: uint256, first: address, stock: uint256, pay: address, owed: uint256, had: uint256) -> uint256:
    """
    @notice Runs the hops of the route from `stock` of `first`; what there is then of `pay`, `had` included.
    """
    left: uint256 = stock
    have: uint256 = had
    token: address = first
    amount: uint256 = stock
    at: uint256 = 0
    for _: uint256 in range(ROUTE):
        if at == count:
            break
        hop: uint256 = self.route[at]
        at += 1
        if hop & FIRST != 0:
            token = first
            amount = left
            if hop & FIXED != 0:
                amount = self.route[at]
                at += 1
        pool: address = empty(address)
        if hop & LISTED != 0:
            pool = convert(self.route[at] & U160, address)
            at += 1
        wanted: uint256 = 0
        if hop & EXACT_OUT != 0:
            if have >= owed:
                break
            wanted = owed - have
        out: address = convert(hop & U160, address)
        before: uint256 = self._balance(out)
        venue: uint256 = (hop >> 184) & U8
        spent: uint256 = amount
        if venue == UNISWAP_V3:
            spent = self._swap_v3(self._pool(pool, token, out, hop), token, out, amount, wanted)
        elif venue == UNISWAP_V2:
            pool = self._pool(pool, token, out, hop)
            spent = self._swap_v2(pool, token, out, (hop >> 160) & U24, amount, wanted)
        elif venue == ERC4626:
            extcall Vault(self._pool(pool, token, out, hop)).redeem(amount, self, self)
        elif venue == CTOKEN:
            code: uint256 = extcall CToken(self._pool(pool, token, out, hop)).redeem(amount)
            if code != 0:
                raw_revert(abi_encode(pool, abi_encode(code), method_id=method_id("Refused(address,bytes)")))
        else:
            size: uint256 = (hop >> 200) & U16
            spent = extcall Self(self).route_through(pool, token, amount, at, size)
            at += (size + 31) // 32
        bought: uint256 = self._balance(out) - before
        if token == first:
            left -= spent
        if token == pay:
            have -= spent
        if out == first:
            left += bought
        if out == pay:
            have += bought
        token = out
        amount = bought
    return have


@internal
def _swap_v3(pool: address, token: address, out: address, amount: uint256, wanted: uint256) -> uint256:
    """
    @notice Sells `amount`, or buys `wanted` for at most `amount`; what was spent.
    """
    self.coin = token
    self.limit = amount
    self.gate = convert(pool, uint256) | HOP
    up: bool = convert(token, uint160) < convert(out, uint160)
    specified: int256 = convert(amount, int256)
    if wanted != 0:
        specified = -convert(wanted, int256)
    extcall PoolV3(pool).swap(self, up, specified, MIN_SQRT_PRICE if up else MAX_SQRT_PRICE, b"", skip_contract_check=True)
    if self.gate != BUSY:
        raw_revert(method_id("NoCallback()"))
    return amount - self.limit


@internal
def _swap_v2(pool: address, token: address, out: address, fee: uint256, amount: uint256, wanted: uint256) -> uint256:
    """
    @notice Sells `amount`, or buys `wanted` for at most `amount`; what was spent.
    """
    up: bool = convert(token, uint160) < convert(out, uint160)
    stock: uint256 = 0
    stock_out: uint256 = 0
    stamp: uint256 = 0
    stock, stock_out, stamp = staticcall PoolV2(pool).getReserves()
    if not up:
        turned: uint256 = stock
        stock = stock_out
        stock_out = turned
    spent: uint256 = amount
    bought: uint256 = wanted
    if wanted == 0:
        net: uint256 = amount * (PIPS - fee)
        bought = net * stock_out // (stock * PIPS + net)
    else:
        spent = stock * wanted * PIPS // ((stock_out - wanted) * (PIPS - fee)) + 1
        if spent > amount:
            raw_revert(abi_encode(amount, spent, method_id=method_id("Short(uint256,uint256)")))
    self._pay(token, pool, spent)
    extcall PoolV2(pool).swap(0 if up else bought, bought if up else 0, self, b"")
    return spent


@external
def route_through(router: address, token: address, amount: uint256, at: uint256, size: uint256) -> uint256:
    """
    @notice Lets an allow-listed router take up to `amount`; what it took. Called by this contract itself, so that the
        memory it needs is paid for only by those who use it.
    """
    if msg.sender != self or self.roles[router] & ROUTER == 0:
        raw_revert(method_id("Forbidden()"))
    words: DynArray[uint256, ROUTED_DATA] = []
    for i: uint256 in range((size + 31) // 32, bound=ROUTED_DATA):
        words.append(self.route[at + i])
    assert extcall Token(token).approve(router, amount, default_return_value=True)
    raw_call(router, slice(abi_encode(words), 64, size))
    left: uint256 = staticcall Token(token).allowance(self, router)
    if left != 0:
        assert extcall Token(token).approve(router, 0, default_return_value=True)
    return amount - left


@internal
@view
def _pool(listed: address, token: address, out: address, word: uint256) -> address:
    """
    @notice The pool of one of the factories, or an allow-listed one.
    """
    if listed != empty(address):
        # [pool
        if self.roles[listed] & POOL == 0:
            raw_revert(method_id("Forbidden()"))
        # pool]
        return listed
    low: address = token
    high: address = out
    if convert(token, uint160) > convert(out, uint160):
        low = out
        high = token
    salt: bytes32 = empty(bytes32)
    if (word >> 184) & U8 == UNISWAP_V3:
        salt = keccak256(abi_encode(low, high, (word >> 160) & U24))
    else:
        salt = keccak256(concat(convert(low, bytes20), convert(high, bytes20)))
    factory: Factory = FACTORIES[(word >> 196) & 3]
    digest: bytes32 = keccak256(concat(0xff, convert(factory.deployer, bytes20), salt, factory.init_hash))
    return convert(convert(digest, uint256) & U160, address)


# --- small things ---------------------------------------------------------------------------------------------------


@internal
def _pay_bid(bid: uint256):
    """
    @notice A fee recipient that refuses loses the bid to us; it can neither stop nor starve the transaction.
    """
    extcall Weth(WETH).withdraw(bid)
    paid: bool = raw_call(block.coinbase, b"", value=bid, gas=BID_GAS, revert_on_failure=False)


@internal
def _pay(token: address, to: address, amount: uint256):
    """
    @notice A transfer that happened: the token neither failed nor answered false.
    """
    done: bool = False
    answer: Bytes[32] = b""
    done, answer = raw_call(
        token,
        abi_encode(to, amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    if not done or (len(answer) != 0 and convert(answer, uint256) == 0):
        raw_revert(abi_encode(token, amount, method_id=method_id("Unpaid(address,uint256)")))


@internal
def _load_route(at: uint256, count: uint256):
    for i: uint256 in range(count, bound=ROUTE):
        self.route[i] = self._word(at + 32 * i)


@internal
@view
def _balance(token: address) -> uint256:
    return staticcall Token(token).balanceOf(self, skip_contract_check=True)


@internal
@view
def _word(at: uint256) -> uint256:
    return convert(slice(msg.data, at, 32), uint256)


# --- the owner, and what leaves -------------------------------------------------------------------------------------


@external
def set_roles(targets: DynArray[address, 32], roles: uint256):
    self._only_owner()
    for target: address in targets:
        self.roles[target] = roles
        log RolesSet(target=target, roles=roles)


@external
def offer_ownership(heir: address):
    self._only_owner()
    self.heir = heir
    log OwnershipOffered(to=heir)


@external
def take_ownership():
    if msg.sender != self.heir:
        raw_revert(method_id("Forbidden()"))
    self.owner = msg.sender
    self.heir = empty(address)
    log OwnershipTaken(by=msg.sender)


@external
def sweep(token: address, keep: uint256) -> uint256:
    """
    @notice Sends all but `keep` of a token (zero: of the native one) to the treasury.
    """
    if msg.sender != self.owner and self.roles[msg.sender] & CALLER == 0:
        raw_revert(method_id("Forbidden()"))
    if self.gate != IDLE:
        raw_revert(method_id("Busy()"))
    amount: uint256 = 0
    if token == empty(address):
        amount = self.balance - keep
        raw_call(TREASURY, b"", value=amount)
    else:
        amount = self._balance(token) - keep
        self._pay(token, TREASURY, amount)
    log Swept(token=token, amount=amount)
    return amount


@external
@payable
def __default__():
    """
    @notice Ether comes from unwrapping only.
    """
    assert msg.sender == WETH


@internal
@view
def _only_owner():
    if msg.sender != self.owner:
        raw_revert(method_id("Forbidden()"))

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SlotDerivation} from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IERC3009} from "./interfaces/IERC3009.sol";
import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {IStreamEscrow} from "./interfaces/IStreamEscrow.sol";
import {ITrackRegistry} from "./interfaces/ITrackRegistry.sol";

/// @title {IStreamEscrow}, for the EIP-712 domain `Hexachord`, version `1`, on this chain at this address.
contract StreamEscrow is IStreamEscrow, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using SlotDerivation for bytes32;
    using TransientSlot for *;

    /// @dev `limit` is reserved - released: all that a redemption has to know is in the first slot.
    struct StoredChannel {
        uint96 limit;
        uint96 settled;
        uint48 readyAt;
        uint96 released;
        uint96 releasing;
    }

    struct Earned {
        uint128 total;
        uint128 distributed;
    }

    /// @inheritdoc IStreamEscrow
    uint48 public constant MIN_RELEASE_SECONDS = 1 minutes;

    /// @inheritdoc IStreamEscrow
    uint48 public constant MAX_RELEASE_SECONDS = 7 days;

    /// @inheritdoc IStreamEscrow
    bytes32 public constant VOUCHER_TYPEHASH =
        keccak256("Voucher(address payer,address node,uint96 base,uint96 cumulative,bytes lines)");

    /// @inheritdoc IStreamEscrow
    bytes32 public constant RESERVE_TYPEHASH =
        keccak256("Reserve(address payer,address node,uint96 total,uint256 deadline)");

    /// @inheritdoc IStreamEscrow
    bytes32 public constant SESSION_TYPEHASH =
        keccak256("Session(address payer,address key,uint96 cap,uint48 expiry)");

    uint256 private constant LINE_BYTES = 64;
    uint256 private constant WHOLE_BPS = 10_000;
    bytes32 private constant SHARES_CACHE = keccak256("hexachord.StreamEscrow.shares");

    /// @inheritdoc IStreamEscrow
    IERC20 public immutable token;

    /// @inheritdoc IStreamEscrow
    ITrackRegistry public immutable tracks;

    /// @inheritdoc IStreamEscrow
    IOperatorRegistry public immutable operators;

    /// @inheritdoc IStreamEscrow
    uint48 public immutable releaseSeconds;

    /// @inheritdoc IStreamEscrow
    mapping(address account => uint256) public balanceOf;

    mapping(address payer => mapping(address key => mapping(address node => StoredChannel))) private _channels;
    mapping(address payer => mapping(address key => Session)) private _sessions;
    mapping(bytes32 track => mapping(uint256 version => Earned)) private _earned;

    constructor(
        IERC20 token_,
        ITrackRegistry tracks_,
        IOperatorRegistry operators_,
        uint48 releaseSeconds_
    ) EIP712("Hexachord", "1") {
        if (address(token_).code.length == 0) revert StreamContractMissing(address(token_));
        if (address(tracks_).code.length == 0) revert StreamContractMissing(address(tracks_));
        if (address(operators_).code.length == 0) revert StreamContractMissing(address(operators_));
        if (releaseSeconds_ < MIN_RELEASE_SECONDS || releaseSeconds_ > MAX_RELEASE_SECONDS) {
            revert StreamReleaseOutOfBounds(releaseSeconds_, MIN_RELEASE_SECONDS, MAX_RELEASE_SECONDS);
        }
        token = token_;
        tracks = tracks_;
        operators = operators_;
        releaseSeconds = releaseSeconds_;
    }

    /// @inheritdoc IStreamEscrow
    function depositFor(address account, uint256 amount) external nonReentrant {
        _depositFrom(account, amount);
    }

    /// @inheritdoc IStreamEscrow
    function depositWithPermit(
        address account,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // Whoever saw the permit first may have used it: then the allowance is there, and if it is not, the transfer fails.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _depositFrom(account, amount);
    }

    /// @inheritdoc IStreamEscrow
    function depositWithAuthorization(
        address from,
        address account,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 salt,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        uint256 balanceBefore = token.balanceOf(address(this));
        IERC3009(address(token)).receiveWithAuthorization(
            from,
            address(this),
            amount,
            validAfter,
            validBefore,
            keccak256(abi.encode(account, salt)),
            v,
            r,
            s
        );
        _creditArrived(account, from, balanceBefore);
    }

    /// @inheritdoc IStreamEscrow
    function withdraw(address to, uint256 amount) external nonReentrant {
        if (to == address(0)) revert StreamAccountZero();
        if (amount == 0) revert StreamAmountZero();
        _debit(msg.sender, amount);
        emit Withdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc IStreamEscrow
    function authorizeSession(address key, uint96 cap, uint48 expiry) external {
        _authorizeSession(msg.sender, key, cap, expiry);
    }

    /// @inheritdoc IStreamEscrow
    function authorizeSessionBySig(
        address payer,
        address key,
        uint96 cap,
        uint48 expiry,
        bytes calldata signature
    ) external {
        bytes32 message = keccak256(abi.encode(SESSION_TYPEHASH, payer, key, cap, expiry));
        address signer = ECDSA.recoverCalldata(_hashTypedDataV4(message), signature);
        if (signer != payer) revert StreamSignerInvalid(signer, payer);
        _authorizeSession(payer, key, cap, expiry);
    }

    /// @inheritdoc IStreamEscrow
    function revokeSession(address key) external {
        _sessions[msg.sender][key].revoked = true;
        emit SessionRevoked(msg.sender, key);
    }

    /// @inheritdoc IStreamEscrow
    function reserve(Reservation[] calldata reservations) external {
        for (uint256 i; i < reservations.length; ++i) {
            _reserve(msg.sender, msg.sender, reservations[i].node, reservations[i].total);
        }
    }

    /// @inheritdoc IStreamEscrow
    function reserveBySig(
        address payer,
        address node,
        uint96 total,
        uint256 deadline,
        bytes calldata signature
    ) external {
        if (block.timestamp > deadline) revert StreamDeadlinePassed(deadline, block.timestamp);
        bytes32 message = keccak256(abi.encode(RESERVE_TYPEHASH, payer, node, total, deadline));
        address key = ECDSA.recoverCalldata(_hashTypedDataV4(message), signature);
        uint96 raised = _reserve(payer, key, node, total);
        if (key != payer) _useSession(payer, key, raised);
    }

    /// @inheritdoc IStreamEscrow
    function initiateRelease(address key, address node, uint96 amount) external {
        StoredChannel storage self = _channels[msg.sender][key][node];
        uint96 available = self.limit - self.settled;
        if (amount > available) revert StreamReleaseTooLarge(amount, available);
        uint48 readyAt = amount == 0 ? 0 : uint48(block.timestamp) + releaseSeconds;
        self.releasing = amount;
        self.readyAt = readyAt;
        emit ReleaseInitiated(msg.sender, key, node, amount, readyAt);
    }

    /// @inheritdoc IStreamEscrow
    function finalizeRelease(address key, address node) external {
        StoredChannel storage self = _channels[msg.sender][key][node];
        if (self.readyAt == 0) revert StreamNotReleasing(key, node);
        if (block.timestamp < self.readyAt) revert StreamReleaseNotReady(self.readyAt, block.timestamp);
        uint96 available = self.limit - self.settled;
        uint96 amount = self.releasing < available ? self.releasing : available;
        self.limit -= amount;
        self.released += amount;
        self.releasing = 0;
        self.readyAt = 0;
        balanceOf[msg.sender] += amount;
        emit Released(msg.sender, key, node, amount);
    }

    /// @inheritdoc IStreamEscrow
    function redeem(address node, Claim[] calldata claims) external {
        if (msg.sender != node && operators.operatorOfHotKey(msg.sender) != node) {
            revert StreamNotOperator(node, msg.sender);
        }
        uint256 nodeAmount;
        for (uint256 i; i < claims.length; ++i) nodeAmount += _redeem(node, claims[i]);
        balanceOf[node] += nodeAmount;
    }

    /// @inheritdoc IStreamEscrow
    function payTrack(bytes32 track, address node, address curator, uint96 amount) external nonReentrant {
        if (node == address(0)) revert StreamAccountZero();
        uint256 balanceBefore = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - balanceBefore;
        // Of a token that brings more than it was asked for, the rest is nobody's.
        if (received < amount) amount = uint96(received);
        emit TrackPaid(msg.sender, node, track, curator, amount);
        (, uint256 nodeAmount) = _settleLine(track, (uint256(uint160(curator)) << 96) | amount);
        balanceOf[node] += nodeAmount;
    }

    /// @inheritdoc IStreamEscrow
    function distribute(bytes32 track, uint24 version) external {
        Earned storage self = _earned[track][version];
        uint256 total = self.total;
        uint256 before = self.distributed;
        if (total == before) revert StreamNothingToDistribute(track, version);
        self.distributed = uint128(total);
        emit Distributed(track, version, total - before);

        ITrackRegistry.Terms memory terms = tracks.termsAt(track, version);
        uint256 left = total - before;
        for (uint256 i = 1; i < terms.payees.length; ++i) {
            uint256 bps = terms.payeeBps[i];
            uint256 amount = (total * bps) / WHOLE_BPS - (before * bps) / WHOLE_BPS;
            // The shares of several payees can become whole by the same unit.
            if (amount > left) amount = left;
            left -= amount;
            _creditPayee(track, terms.payees[i], amount);
        }
        _creditPayee(track, terms.payees[0], left);
    }

    /// @inheritdoc IStreamEscrow
    function channel(address payer, address key, address node) external view returns (Channel memory) {
        StoredChannel memory self = _channels[payer][key][node];
        return
            Channel({
                reserved: self.limit + self.released,
                settled: self.settled,
                released: self.released,
                releasing: self.releasing,
                readyAt: self.readyAt
            });
    }

    /// @inheritdoc IStreamEscrow
    function session(address payer, address key) external view returns (Session memory) {
        return _sessions[payer][key];
    }

    /// @inheritdoc IStreamEscrow
    function earnedBy(bytes32 track, uint24 version) external view returns (uint128 total, uint128 distributed) {
        Earned storage self = _earned[track][version];
        return (self.total, self.distributed);
    }

    function _depositFrom(address account, uint256 amount) private {
        uint256 balanceBefore = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        _creditArrived(account, msg.sender, balanceBefore);
    }

    /// @dev Credits what a transfer brought, which must come before; the guard keeps a token with hooks from counting
    /// one arrival twice.
    function _creditArrived(address account, address from, uint256 balanceBefore) private {
        if (account == address(0)) revert StreamAccountZero();
        uint256 received = token.balanceOf(address(this)) - balanceBefore;
        if (received == 0) revert StreamAmountZero();
        balanceOf[account] += received;
        emit Deposited(account, from, received);
    }

    function _debit(address account, uint256 amount) private {
        uint256 balance = balanceOf[account];
        if (amount > balance) revert StreamBalanceInsufficient(account, balance, amount);
        balanceOf[account] = balance - amount;
    }

    function _authorizeSession(address payer, address key, uint96 cap, uint48 expiry) private {
        Session storage self = _sessions[payer][key];
        if (self.revoked || key == payer) revert StreamSessionUnknown(payer, key);
        if (cap < self.cap || expiry < self.expiry) revert StreamSessionShrunk(key, self.cap, self.expiry);
        self.cap = cap;
        self.expiry = expiry;
        emit SessionAuthorized(payer, key, cap, expiry);
    }

    function _useSession(address payer, address key, uint96 amount) private {
        Session storage self = _sessions[payer][key];
        if (self.expiry == 0 || self.revoked) revert StreamSessionUnknown(payer, key);
        if (block.timestamp > self.expiry) revert StreamSessionExpired(key, self.expiry, block.timestamp);
        uint256 needed = uint256(self.reserved) + amount;
        if (needed > self.cap) revert StreamSessionCapExceeded(key, self.cap, needed);
        self.reserved = uint96(needed);
    }

    /// @dev Raises the reserve of a channel to a total, and returns by how much.
    function _reserve(address payer, address key, address node, uint96 total) private returns (uint96 raised) {
        if (node == address(0)) revert StreamAccountZero();
        StoredChannel storage self = _channels[payer][key][node];
        uint96 reserved = self.limit + self.released;
        if (total <= reserved) revert StreamReserveNotRaised(key, node, total, reserved);
        raised = total - reserved;
        _debit(payer, raised);
        self.limit += raised;
        emit Reserved(payer, key, node, total);
    }

    /// @dev Redeems one voucher: credits curators and tracks, and returns what the node is to be credited.
    function _redeem(address node, Claim calldata claim) private returns (uint256 nodeAmount) {
        (address payer, uint96 base, uint96 cumulative) = (claim.payer, claim.base, claim.cumulative);
        bytes calldata lines = claim.lines;
        bytes32 message = keccak256(abi.encode(VOUCHER_TYPEHASH, payer, node, base, cumulative, keccak256(lines)));
        address key = ECDSA.recoverCalldata(_hashTypedDataV4(message), claim.signature);

        StoredChannel storage self = _channels[payer][key][node];
        (uint96 limit, uint96 settled) = (self.limit, self.settled);
        if (cumulative > limit) revert StreamReserveExceeded(payer, key, cumulative, limit);
        if (base != settled) revert StreamVoucherStale(payer, key, base, settled);
        self.settled = cumulative;
        emit Redeemed(payer, key, node, base, cumulative, lines);

        uint256 sum;
        (sum, nodeAmount) = _settleLines(lines);
        if (base + sum != cumulative) revert StreamLinesSum(sum, base, cumulative);
    }

    /// @dev Nearly all gas of a redemption goes here: so without checks of what cannot be, and of bounds once.
    function _settleLines(bytes calldata lines) private returns (uint256 sum, uint256 nodeSum) {
        if (lines.length == 0 || lines.length % LINE_BYTES != 0) revert StreamLinesMalformed(lines.length);
        // Amounts are below 2^96, and as many lines as fit into a block.
        unchecked {
            for (uint256 offset; offset < lines.length; offset += LINE_BYTES) {
                bytes32 track;
                uint256 word;
                // Within the lines, since their length is a multiple of what is read.
                assembly ("memory-safe") {
                    track := calldataload(add(lines.offset, offset))
                    word := calldataload(add(add(lines.offset, offset), 32))
                }
                (uint256 amount, uint256 nodeAmount) = _settleLine(track, word);
                nodeSum += nodeAmount;
                sum += amount;
            }
        }
    }

    /// @dev Splits what is paid for a track between curator and track, which are credited, and the node, which is not yet.
    /// @param word Curator (from bit 96) and amount, as lines have them.
    function _settleLine(bytes32 track, uint256 word) private returns (uint256 amount, uint256 nodeAmount) {
        // Amounts are below 2^96 and shares below 2^16. What is added up is money that has arrived: to fill the 128
        // bits of a track's earnings would take 2^32 lines of the largest amount.
        unchecked {
            amount = uint96(word);
            // Or lines would be heard of for which nobody has paid, nor signed where nothing is reserved.
            if (amount == 0) revert StreamAmountZero();

            uint256 shares = _sharesOf(track);
            nodeAmount = (amount * uint16(shares >> 16)) / WHOLE_BPS;
            uint256 curatorAmount = word >> 96 == 0 ? 0 : (amount * uint16(shares)) / WHOLE_BPS;
            if (curatorAmount != 0) balanceOf[address(uint160(word >> 96))] += curatorAmount;
            _earned[track][shares >> 32].total += uint128(amount - nodeAmount - curatorAmount);
        }
    }

    /// @dev Version (from bit 32), node's and curator's share (16 bits each), as the registry says. It is asked once for
    /// each track in a transaction: within one, time stands still, and so the terms in force cannot change.
    function _sharesOf(bytes32 track) private returns (uint256 shares) {
        TransientSlot.Uint256Slot cache = SHARES_CACHE.deriveMapping(track).asUint256();
        shares = cache.tload();
        if (shares == 0) {
            (uint24 version, uint16 nodeBps, uint16 curatorBps) = tracks.sharesOf(track);
            shares = (uint256(version) << 32) | (uint256(nodeBps) << 16) | curatorBps;
            cache.tstore(shares);
        }
    }

    function _creditPayee(bytes32 track, address payee, uint256 amount) private {
        balanceOf[payee] += amount;
        emit PayeeCredited(track, payee, amount);
    }
}

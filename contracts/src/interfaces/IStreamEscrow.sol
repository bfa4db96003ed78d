// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IOperatorRegistry} from "./IOperatorRegistry.sol";
import {ITrackRegistry} from "./ITrackRegistry.sol";

/**
 * @title Where listeners' money waits until it is earned.
 * @notice A listener deposits once and reserves an amount for each node it listens at. With every unit of 6,000 ms it
 * signs the node a voucher: what it owes in total, itemised by track. The node redeems the last voucher of many
 * listeners in one transaction, which pays the node, curators and tracks; anyone may then split what a track earned
 * among its payees. Nothing is kept by the protocol.
 *
 * A channel is a triple of payer, key and node, where the key is the payer's own or a session key that the payer has
 * authorized. What a key has reserved can be spent by vouchers of that key only, so a lost session key costs no more
 * than its cap, and no two devices of a payer get in each other's way. A channel knows three totals that never fall:
 * reserved, settled and released. Were a release to lower what is reserved, the node could use the old signature
 * again and lock the money once more.
 *
 * Signatures are checked by ecrecover alone (65 bytes, low s). Contract signatures are refused on purpose: a voucher
 * must stay valid whatever code the account carries later. Wallets that are contracts authorize a session key.
 *
 * Amounts are in base units of the token. What belongs to accounts, reserves and tracks is kept apart to the last unit.
 * Tokens that take a fee are credited by what arrives; tokens whose balances change by themselves are not supported.
 */
interface IStreamEscrow {
    /// @notice An amount that a payer sets aside for a node. `total` counts from the beginning of the channel.
    struct Reservation {
        address node;
        uint96 total;
    }

    /**
     * @notice A voucher as its node redeems it.
     * @param base What was settled when it was signed. It serves as the nonce, and binds the lines to what is new.
     * @param cumulative What will be settled after it.
     * @param lines 64 bytes each: track (32), curator (20, zero for none), amount (12). Together cumulative - base.
     * @param signature EIP-712 signature, r || s || v, by the channel's key of
     * `Voucher(address payer,address node,uint96 base,uint96 cumulative,bytes lines)`.
     */
    struct Claim {
        address payer;
        uint96 base;
        uint96 cumulative;
        bytes lines;
        bytes signature;
    }

    /**
     * @notice What is known of a channel. Available to vouchers is reserved - released - settled.
     * @param releasing What the payer wants back from `readyAt` (unix seconds) on; zero if nothing.
     */
    struct Channel {
        uint96 reserved;
        uint96 settled;
        uint96 released;
        uint96 releasing;
        uint48 readyAt;
    }

    /**
     * @notice What a session key may do.
     * @param cap How much it may reserve in its life, in all.
     * @param reserved How much of that it has reserved.
     * @param expiry Last unix second in which it may reserve; zero if it was never authorized.
     * @param revoked Whether the payer took it back, which is for ever.
     */
    struct Session {
        uint96 cap;
        uint96 reserved;
        uint48 expiry;
        bool revoked;
    }

    /// @notice Money came in. `amount` is what arrived.
    event Deposited(address indexed account, address indexed from, uint256 amount);

    /// @notice Money went out.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice A payer authorized a session key, or gave it more.
    event SessionAuthorized(address indexed payer, address indexed key, uint96 cap, uint48 expiry);

    /// @notice A session key cannot reserve any more.
    event SessionRevoked(address indexed payer, address indexed key);

    /// @notice A channel's reserve was raised to `total`.
    event Reserved(address indexed payer, address indexed key, address indexed node, uint96 total);

    /// @notice A payer wants an amount of a reserve back, from `readyAt` on; zero if it leaves it after all.
    event ReleaseInitiated(
        address indexed payer,
        address indexed key,
        address indexed node,
        uint96 amount,
        uint48 readyAt
    );

    /// @notice An amount went back from a reserve to the payer: what the node has not redeemed meanwhile.
    event Released(address indexed payer, address indexed key, address indexed node, uint96 amount);

    /**
     * @notice A voucher was redeemed. Each line was split by the terms in force of its track: node and curator get their
     * shares, rounded down, and the track the rest; what would be the curator's goes to the track if there is none.
     */
    event Redeemed(
        address indexed payer,
        address indexed key,
        address indexed node,
        uint96 base,
        uint96 cumulative,
        bytes lines
    );

    /// @notice A whole amount was paid for a track, without a voucher. It was split like a redeemed line; `amount` is what
    /// arrived.
    event TrackPaid(
        address indexed payer,
        address indexed node,
        bytes32 indexed track,
        address curator,
        uint96 amount
    );

    /// @notice What a track had earned under some terms since the last time was split among its payees.
    event Distributed(bytes32 indexed track, uint24 indexed version, uint256 amount);

    /// @notice A payee got its share of what was distributed.
    event PayeeCredited(bytes32 indexed track, address indexed payee, uint256 amount);

    /// @notice There is no contract at this address.
    error StreamContractMissing(address account);

    /// @notice The time of a release is out of bounds. All are in seconds.
    error StreamReleaseOutOfBounds(uint48 releaseSeconds, uint48 min, uint48 max);

    /// @notice The amount is zero, or nothing of it arrived.
    error StreamAmountZero();

    /// @notice Money cannot belong to, be reserved for or go to the zero address.
    error StreamAccountZero();

    /// @notice The account has less than that.
    error StreamBalanceInsufficient(address account, uint256 balance, uint256 needed);

    /// @notice The signature had to be used until `deadline`, but this block is later. Both are unix seconds.
    error StreamDeadlinePassed(uint256 deadline, uint256 timestamp);

    /// @notice The signature is not the payer's, or what was signed differs.
    error StreamSignerInvalid(address signer, address payer);

    /// @notice The key is neither the payer's own nor a session key that it has authorized and not taken back.
    error StreamSessionUnknown(address payer, address key);

    /// @notice The session key's time is over. Both are unix seconds.
    error StreamSessionExpired(address key, uint256 expiry, uint256 timestamp);

    /// @notice The session key would reserve more than its cap.
    error StreamSessionCapExceeded(address key, uint96 cap, uint256 needed);

    /// @notice An authorization may only give more: cap and expiry cannot shrink, so that an old one does no harm.
    error StreamSessionShrunk(address key, uint96 cap, uint48 expiry);

    /// @notice A reserve can only grow.
    error StreamReserveNotRaised(address key, address node, uint96 total, uint96 reserved);

    /// @notice Less than that is available in the reserve.
    error StreamReleaseTooLarge(uint96 amount, uint96 available);

    /// @notice Nothing is being released.
    error StreamNotReleasing(address key, address node);

    /// @notice The release is not ready. Both are unix seconds.
    error StreamReleaseNotReady(uint256 readyAt, uint256 timestamp);

    /// @notice Only the operator or its hot key may redeem: a voucher redeemed at the wrong time kills the newer one.
    error StreamNotOperator(address node, address caller);

    /**
     * @notice The voucher exceeds what its signer has reserved for the node, less what was released. A voucher that was
     * altered, or signed for another contract, chain or node, seems to be signed by somebody who has reserved nothing.
     */
    error StreamReserveExceeded(address payer, address signer, uint96 cumulative, uint96 limit);

    /// @notice The voucher does not begin where the channel was settled last: it is old, or was redeemed.
    error StreamVoucherStale(address payer, address key, uint96 base, uint96 settled);

    /// @notice There are no lines, or the last is not whole.
    error StreamLinesMalformed(uint256 length);

    /// @notice The lines are not together what the voucher adds.
    error StreamLinesSum(uint256 sum, uint96 base, uint96 cumulative);

    /// @notice Nothing is to be distributed.
    error StreamNothingToDistribute(bytes32 track, uint24 version);

    /// @notice Adds money of the caller's to an account. The escrow must be allowed to spend it.
    function depositFor(address account, uint256 amount) external;

    /// @notice {depositFor} that first uses the caller's ERC-2612 permit; if someone else has used it first, no harm is done.
    function depositWithPermit(
        address account,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /**
     * @notice Adds money of `from` to an account by its ERC-3009 signature (`ReceiveWithAuthorization`); anyone may send it.
     * @param salt The nonce that was signed is `keccak256(abi.encode(account, salt))`: so the signature says whose the
     * money will be.
     */
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
    ) external;

    /// @notice Sends money of the caller's to any address, so that a token which refuses one does not lock it up.
    function withdraw(address to, uint256 amount) external;

    /**
     * @notice Lets a session key reserve for the caller. May be repeated to give it more.
     * @param key An address that was not revoked before, other than the payer.
     */
    function authorizeSession(address key, uint96 cap, uint48 expiry) external;

    /**
     * @notice {authorizeSession} by signature of the payer; anyone may send it.
     * @param signature EIP-712 signature, r || s || v, of `Session(address payer,address key,uint96 cap,uint48 expiry)`.
     */
    function authorizeSessionBySig(
        address payer,
        address key,
        uint96 cap,
        uint48 expiry,
        bytes calldata signature
    ) external;

    /// @notice Takes a session key of the caller's back, at once and for ever. What it has reserved can be released.
    function revokeSession(address key) external;

    /// @notice Raises reserves of the caller's own key, of its balance.
    function reserve(Reservation[] calldata reservations) external;

    /**
     * @notice Raises a reserve by signature of the payer or of a session key of its; anyone may send it. Since `total`
     * counts from the beginning, sending it again, such as after a reorganisation, never reserves twice.
     * @param deadline Last unix second in which it may be included.
     * @param signature EIP-712 signature, r || s || v, of
     * `Reserve(address payer,address node,uint96 total,uint256 deadline)`. Its signer is the key of the channel.
     */
    function reserveBySig(
        address payer,
        address node,
        uint96 total,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /**
     * @notice Announces that the caller wants an amount of a reserve back. Replaces what it announced before; zero takes
     * it back. Until it is finalized the node can redeem as before.
     */
    function initiateRelease(address key, address node, uint96 amount) external;

    /// @notice Returns what was announced {releaseSeconds} ago, or what the node has left of it, to the caller's balance.
    function finalizeRelease(address key, address node) external;

    /**
     * @notice Redeems vouchers, all or none. Only for the operator itself or its hot key.
     * @param node The operator: its address in the registry, for which the vouchers were signed.
     */
    function redeem(address node, Claim[] calldata claims) external;

    /**
     * @notice Pays for a track at once, of the caller's tokens: splits what arrives by the terms in force, as a line of a
     * voucher. Nothing is reserved and nothing is owed for it: what the node does for the money is between the two.
     * @param node Who serves the track, and gets a node's share.
     * @param curator Who led there; zero for none.
     * @param amount In base units, at most as much as a line may carry. The caller has approved it.
     */
    function payTrack(bytes32 track, address node, address curator, uint96 amount) external;

    /**
     * @notice Splits what a track earned under terms of some number among their payees; anyone may call it. Shares are of
     * all that was ever earned, rounded down, and the first payee gets what is left: so how often or when this is called
     * makes no difference, but for single units where there are fewer to split than payees.
     */
    function distribute(bytes32 track, uint24 version) external;

    /// @notice What an account can withdraw or reserve.
    function balanceOf(address account) external view returns (uint256);

    /// @notice What is known of a channel; zeros if nothing.
    function channel(address payer, address key, address node) external view returns (Channel memory);

    /// @notice What is known of a session key; zeros if nothing.
    function session(address payer, address key) external view returns (Session memory);

    /// @notice What a track has earned under terms of some number, and how much of it was distributed.
    function earnedBy(bytes32 track, uint24 version) external view returns (uint128 total, uint128 distributed);

    /// @notice The token that is paid with.
    function token() external view returns (IERC20);

    /// @notice Where tracks and their terms are.
    function tracks() external view returns (ITrackRegistry);

    /// @notice Where operators and their hot keys are.
    function operators() external view returns (IOperatorRegistry);

    /// @notice How long a release waits, in seconds, so that a node can redeem what it was promised.
    function releaseSeconds() external view returns (uint48);

    /// @notice Shortest wait of a release that an escrow may be created with, in seconds.
    function MIN_RELEASE_SECONDS() external view returns (uint48);

    /// @notice Longest wait of a release that an escrow may be created with, in seconds; terms of tracks wait as long.
    function MAX_RELEASE_SECONDS() external view returns (uint48);

    /// @notice EIP-712 type hash of `Voucher`.
    function VOUCHER_TYPEHASH() external view returns (bytes32);

    /// @notice EIP-712 type hash of `Reserve`.
    function RESERVE_TYPEHASH() external view returns (bytes32);

    /// @notice EIP-712 type hash of `Session`.
    function SESSION_TYPEHASH() external view returns (bytes32);
}

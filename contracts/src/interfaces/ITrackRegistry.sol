// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/**
 * @title Who owns a track, what it costs, and who earns from it.
 * @notice A track is named as in the catalogue: author (20 bytes) followed by a number (12 bytes). Its author registers
 * it with its first terms, which are in force at once; every later change waits for {CHANGE_DELAY}, so that neither
 * listeners nor nodes nor curators are surprised. Terms are numbered and never forgotten: what was earned under some
 * terms is split by them. The registry sees nothing of the catalogue, so an author whose key was rotated there registers
 * by its first key, and hands the track on from here.
 */
interface ITrackRegistry {
    /**
     * @notice What the rights holder asks for. Shares are in basis points (1/10,000).
     * @param unitPrice Price of a unit, which is 6,000 ms of track time, in base units of the network's payment token;
     * zero for a free track.
     * @param nodeBps Share of the node that serves the track, {MIN_NODE_BPS} to {MAX_NODE_BPS}.
     * @param curatorBps Share of the curator that led a listener there, at most {MAX_CURATOR_BPS}; zero for none.
     * @param payees Who share the rest: 1 to {MAX_PAYEES} accounts, none of them zero.
     * @param payeeBps Their shares in the rest, in the same order, none of them zero; together 10,000.
     */
    struct Terms {
        uint96 unitPrice;
        uint16 nodeBps;
        uint16 curatorBps;
        address[] payees;
        uint16[] payeeBps;
    }

    /// @notice A track has an owner from now on: its author.
    event TrackRegistered(bytes32 indexed track, address indexed owner);

    /**
     * @notice Terms were set. They replace terms that were waiting.
     * @param version Number of the terms of this track, from 1.
     * @param effectiveAt Unix second from which they are in force.
     */
    event TermsSet(bytes32 indexed track, uint24 indexed version, uint48 effectiveAt, Terms terms);

    /// @notice Terms that were waiting will not come into force.
    event TermsCancelled(bytes32 indexed track, uint24 indexed version);

    /// @notice The owner offers the track to another account; zero takes an offer back.
    event TrackOffered(bytes32 indexed track, address indexed owner, address indexed to);

    /// @notice The track has a new owner.
    event TrackTransferred(bytes32 indexed track, address indexed from, address indexed to);

    /// @notice The track has not been registered.
    error TrackUnknown(bytes32 track);

    /// @notice The track has no terms of that number.
    error TrackTermsUnknown(bytes32 track, uint24 version);

    /// @notice Only the owner (before registration the author) may do this.
    error TrackNotOwned(bytes32 track, address owner, address caller);

    /// @notice The signature had to be used until `deadline`, but this block is later. Both are unix seconds.
    error TrackDeadlinePassed(uint256 deadline, uint256 timestamp);

    /// @notice The share of the node is out of bounds.
    error TrackNodeShareOutOfBounds(uint16 bps, uint16 min, uint16 max);

    /// @notice The share of the curator is too large.
    error TrackCuratorShareTooLarge(uint16 bps, uint16 max);

    /// @notice There must be 1 to `max` payees, and a share for each.
    error TrackPayeesMalformed(uint256 payees, uint256 shares, uint256 max);

    /// @notice A payee is the zero address or has no share.
    error TrackPayeeEmpty(uint256 index);

    /// @notice The payees' shares are not 10,000 together.
    error TrackSharesNotWhole(uint256 sum);

    /// @notice No change is waiting.
    error TrackNoChange(bytes32 track);

    /// @notice The track was not offered to the caller.
    error TrackNotOffered(bytes32 track, address caller);

    /**
     * @notice Registers the caller's track with its first terms, in force at once; or sets the terms of a track that the
     * caller owns, in force after {CHANGE_DELAY}.
     */
    function setTerms(bytes32 track, Terms calldata terms) external;

    /**
     * @notice {setTerms} by signature of the owner (before registration of the author); anyone may send it.
     * @dev The signature is checked by ecrecover alone (65 bytes, low s).
     * @param deadline Last unix second in which it may be included.
     * @param signature EIP-712 signature, r || s || v, of `Terms(bytes32 track,uint24 version,uint96 unitPrice,uint16
     * nodeBps,uint16 curatorBps,address[] payees,uint16[] payeeBps,uint256 deadline)`, where version is the number
     * that these terms will have: {latestVersion} + 1. So each signature serves once.
     */
    function setTermsBySig(bytes32 track, Terms calldata terms, uint256 deadline, bytes calldata signature) external;

    /// @notice The owner drops the change that is waiting.
    function cancelChange(bytes32 track) external;

    /// @notice The owner offers the track to another account, which has to accept; zero takes the offer back.
    function offerTrack(bytes32 track, address to) external;

    /**
     * @notice The caller becomes the owner of a track that was offered to it. A change that is waiting is dropped, so
     * that nobody buys what the seller has yet to alter; the terms in force stay until the new owner changes them.
     */
    function acceptTrack(bytes32 track) external;

    /// @notice The owner of a track; zero if it is not registered.
    function ownerOf(bytes32 track) external view returns (address);

    /// @notice To whom a track is offered; zero if to nobody.
    function offeredTo(bytes32 track) external view returns (address);

    /// @notice The terms in force and their number. Reverts with {TrackUnknown}.
    function termsOf(bytes32 track) external view returns (uint24 version, Terms memory terms);

    /// @notice Terms by number, whether in force, past, waiting or dropped. Reverts with {TrackTermsUnknown}.
    function termsAt(bytes32 track, uint24 version) external view returns (Terms memory terms);

    /// @notice The change that is waiting: its number, and from which unix second it is in force; zeros if there is none.
    function changeOf(bytes32 track) external view returns (uint24 version, uint48 effectiveAt);

    /// @notice Number of the terms set last; zero if the track is not registered.
    function latestVersion(bytes32 track) external view returns (uint24);

    /// @notice What a settlement needs of the terms in force. Reverts with {TrackUnknown}.
    function sharesOf(bytes32 track) external view returns (uint24 version, uint16 nodeBps, uint16 curatorBps);

    /// @notice How long a change waits, in seconds.
    function CHANGE_DELAY() external view returns (uint48);

    /// @notice Smallest share of the node, in basis points: a track that pays its nodes nothing would be served by none.
    function MIN_NODE_BPS() external view returns (uint16);

    /// @notice Largest share of the node, in basis points.
    function MAX_NODE_BPS() external view returns (uint16);

    /// @notice Largest share of the curator, in basis points. Listeners name curators, so it is a rebate that they direct.
    function MAX_CURATOR_BPS() external view returns (uint16);

    /// @notice Most payees of a track.
    function MAX_PAYEES() external view returns (uint256);

    /// @notice EIP-712 type hash of `Terms`.
    function TERMS_TYPEHASH() external view returns (bytes32);
}

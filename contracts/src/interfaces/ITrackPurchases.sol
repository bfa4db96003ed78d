// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStreamEscrow} from "./IStreamEscrow.sol";

/**
 * @title Addresses at which a plain transfer pays for a whole track.
 * @notice Whoever can do no more than send tokens, such as a client of x402, pays to {purchaseOf} a track and the node that
 * serves it. Anyone may then settle what lies there: it is split like a redeemed line, among node and payees of the
 * track. Nothing else can be done with it, by anybody. What the sender gets for it is between it and the node.
 */
interface ITrackPurchases {
    /// @notice An ERC-3009 authorization to transfer to {purchaseOf} a track and a node.
    struct Authorization {
        address from;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice What lay at the address of a track and a node was paid into the escrow.
    event TrackPurchaseSettled(bytes32 indexed track, address indexed node, address purchase, uint96 amount);

    /// @notice There is no contract at this address.
    error PurchaseContractMissing(address account);

    /// @notice Nothing lies at this address.
    error PurchaseNothingToSettle(address purchase);

    /**
     * @notice Splits what lies at the address of a track and a node; anyone may call it. Reverts as
     * {IStreamEscrow-payTrack} does: for a track that is not registered it waits until it is.
     * @return amount What was split, in base units of the escrow's token.
     */
    function settle(bytes32 track, address node) external returns (uint96 amount);

    /**
     * @notice Uses a buyer's authorization and splits what it brought, with what lay there before, in one: so that none of
     * it waits. Anyone may send it. Reverts as the token does, for one that was used or is not the buyer's.
     * @return amount What was split.
     */
    function settleWithAuthorization(
        bytes32 track,
        address node,
        Authorization calldata authorization
    ) external returns (uint96 amount);

    /// @notice Where to pay for a track that a node serves. Tokens but the escrow's would lie there for ever.
    function purchaseOf(bytes32 track, address node) external view returns (address);

    /// @notice Where it is paid into.
    function escrow() external view returns (IStreamEscrow);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

import {TrackPurchase} from "./TrackPurchase.sol";
import {IERC3009} from "./interfaces/IERC3009.sol";
import {IStreamEscrow} from "./interfaces/IStreamEscrow.sol";
import {ITrackPurchases} from "./interfaces/ITrackPurchases.sol";

/// @title {ITrackPurchases}
contract TrackPurchases is ITrackPurchases {
    /// @inheritdoc ITrackPurchases
    IStreamEscrow public immutable escrow;

    address private immutable _implementation;

    constructor(IStreamEscrow escrow_) {
        if (address(escrow_).code.length == 0) revert PurchaseContractMissing(address(escrow_));
        escrow = escrow_;
        _implementation = address(new TrackPurchase(escrow_));
    }

    /// @inheritdoc ITrackPurchases
    function settle(bytes32 track, address node) external returns (uint96 amount) {
        return _settle(track, node, purchaseOf(track, node));
    }

    /// @inheritdoc ITrackPurchases
    function settleWithAuthorization(
        bytes32 track,
        address node,
        Authorization calldata authorization
    ) external returns (uint96 amount) {
        address purchase = purchaseOf(track, node);
        IERC3009(address(escrow.token())).transferWithAuthorization(
            authorization.from,
            purchase,
            authorization.value,
            authorization.validAfter,
            authorization.validBefore,
            authorization.nonce,
            authorization.v,
            authorization.r,
            authorization.s
        );
        return _settle(track, node, purchase);
    }

    /// @inheritdoc ITrackPurchases
    function purchaseOf(bytes32 track, address node) public view returns (address) {
        return Clones.predictDeterministicAddress(_implementation, _saltOf(track, node));
    }

    function _settle(bytes32 track, address node, address purchase) private returns (uint96 amount) {
        if (purchase.code.length == 0) Clones.cloneDeterministic(_implementation, _saltOf(track, node));
        amount = TrackPurchase(purchase).settle(track, node);
        if (amount == 0) revert PurchaseNothingToSettle(purchase);
        emit TrackPurchaseSettled(track, node, purchase, amount);
    }

    function _saltOf(bytes32 track, address node) private pure returns (bytes32) {
        return keccak256(abi.encode(track, node));
    }
}

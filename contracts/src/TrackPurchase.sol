// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IStreamEscrow} from "./interfaces/IStreamEscrow.sol";

/**
 * @title What lies at an address of {ITrackPurchases}, once it is settled for the first time.
 * @dev {TrackPurchases} clones it; it obeys nobody else, and knows track and node from it.
 */
contract TrackPurchase {
    using SafeERC20 for IERC20;

    /// @notice Only {TrackPurchases} may do this.
    error PurchaseNotFactory(address caller);

    address private immutable _factory;
    IStreamEscrow private immutable _escrow;
    IERC20 private immutable _token;

    constructor(IStreamEscrow escrow) {
        _factory = msg.sender;
        _escrow = escrow;
        _token = escrow.token();
    }

    /// @notice Pays all that lies here for a track, at most as much as the escrow takes at a time.
    function settle(bytes32 track, address node) external returns (uint96 amount) {
        if (msg.sender != _factory) revert PurchaseNotFactory(msg.sender);
        uint256 balance = _token.balanceOf(address(this));
        amount = balance < type(uint96).max ? uint96(balance) : type(uint96).max;
        if (amount == 0) return 0;
        _token.forceApprove(address(_escrow), amount);
        _escrow.payTrack(track, node, address(0), amount);
    }
}

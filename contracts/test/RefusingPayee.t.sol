// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {vm} from "./support/Vm.sol";

/// @dev An account that takes no call.
contract Refusing {
    fallback() external payable {
        revert("no");
    }
}

/// @dev Who is paid and cannot, or does not want to be, is nobody else's trouble.
contract RefusingPayeeTest is Payments {
    function setUp() public {
        deployPayments();
        vm.warp(1_800_000_000);
        deposit(payer, 10_000);
        reserveOne(payer, NODE, 10_000);
    }

    function test_aPayeeOrCuratorThatRevertsHoldsNobodyUp() public {
        address refusing = address(new Refusing());
        ITrackRegistry.Terms memory terms = termsOf(1500, 300);
        terms.payees[1] = refusing;
        bytes32 track = trackOf(1);
        vm.prank(artist);
        tracks.setTerms(track, terms);
        redeemOne(Voucher(payer, NODE, 0, 10_000, line(track, refusing, 10_000)), PAYER_KEY);
        escrow.distribute(track, 1);
        require(escrow.balanceOf(NODE) == 1500, "the node is paid");
        require(escrow.balanceOf(artist) == 8200 - 2733, "the other payee is paid");
        require(escrow.balanceOf(refusing) == 300 + 2733, "what it does not fetch waits for it");
        vm.prank(artist);
        escrow.withdraw(artist, 8200 - 2733);
        require(token.balanceOf(artist) == 8200 - 2733, "and has it");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {vm} from "./support/Vm.sol";

/// @dev What each call costs as a transaction of its own, all included; committed in `snapshots/`.
contract GasOfPaymentsTest is Payments {
    uint256 private constant LISTENERS = 100;
    uint96 private constant RESERVE = 1_000_000;

    function setUp() public {
        deployPayments();
        // Nobody is the first: whoever earns has earned before.
        deposit(NODE, 1);
        for (uint160 i; i < 3; ++i) deposit(address(uint160(CURATOR) + i), 1);
        for (uint96 i; i < 10; ++i) registerTrack(i);
    }

    function test_gasOfTerms() public {
        vm.prank(artist);
        tracks.setTerms(trackOf(77), termsOf(1500, 300));
        vm.snapshotGasLastCall("TrackRegistry", "setTerms, first, 2 payees");
        bytes memory signature = signTerms(trackOf(78), 1, termsOf(1500, 300), block.timestamp, ARTIST_KEY);
        tracks.setTermsBySig(trackOf(78), termsOf(1500, 300), block.timestamp, signature);
        vm.snapshotGasLastCall("TrackRegistry", "setTermsBySig, first, 2 payees");
        vm.prank(artist);
        tracks.setTerms(trackOf(77), termsOf(1500, 300));
        vm.snapshotGasLastCall("TrackRegistry", "setTerms, change, 2 payees");
    }

    function test_gasOfMoneyInAndOut() public {
        token.mint(address(this), 100);
        token.approve(address(escrow), 100);
        escrow.depositFor(payer, 50);
        vm.snapshotGasLastCall("StreamEscrow", "depositFor, first");
        escrow.depositFor(payer, 50);
        vm.snapshotGasLastCall("StreamEscrow", "depositFor, more");
        vm.prank(payer);
        escrow.withdraw(payer, 50);
        vm.snapshotGasLastCall("StreamEscrow", "withdraw");
    }

    function test_gasOfReserving() public {
        deposit(payer, 1000);
        bytes memory signature = signReserve(payer, NODE, 100, block.timestamp, PAYER_KEY);
        escrow.reserveBySig(payer, NODE, 100, block.timestamp, signature);
        vm.snapshotGasLastCall("StreamEscrow", "reserveBySig, first");
        signature = signReserve(payer, NODE, 200, block.timestamp, PAYER_KEY);
        escrow.reserveBySig(payer, NODE, 200, block.timestamp, signature);
        vm.snapshotGasLastCall("StreamEscrow", "reserveBySig, more");

        IStreamEscrow.Reservation[] memory ten = new IStreamEscrow.Reservation[](10);
        for (uint160 i; i < 10; ++i) ten[i] = IStreamEscrow.Reservation({node: address(i + 1), total: 10});
        vm.prank(payer);
        escrow.reserve(ten);
        vm.snapshotGasLastCall("StreamEscrow", "reserve, 10 nodes");

        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, 200);
        vm.snapshotGasLastCall("StreamEscrow", "initiateRelease");
        vm.warp(block.timestamp + RELEASE);
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
        vm.snapshotGasLastCall("StreamEscrow", "finalizeRelease");
    }

    function test_gasOfSessions() public {
        deposit(payer, 1000);
        bytes memory signature = signSession(payer, sessionKey, 100, uint48(block.timestamp), PAYER_KEY);
        escrow.authorizeSessionBySig(payer, sessionKey, 100, uint48(block.timestamp), signature);
        vm.snapshotGasLastCall("StreamEscrow", "authorizeSessionBySig");
        signature = signReserve(payer, NODE, 100, block.timestamp, SESSION_KEY);
        escrow.reserveBySig(payer, NODE, 100, block.timestamp, signature);
        vm.snapshotGasLastCall("StreamEscrow", "reserveBySig, session, first");
    }

    function test_gasOfRedeeming() public {
        _reserveAll();
        _redeem(1, 10);
        vm.snapshotGasLastCall("StreamEscrow", "redeem, 1 x 10 lines, tracks that never earned");
        _redeem(1, 1);
        vm.snapshotGasLastCall("StreamEscrow", "redeem, 1 x 1 line");
        _redeem(1, 10);
        vm.snapshotGasLastCall("StreamEscrow", "redeem, 1 x 10 lines");
        escrow.distribute(trackOf(0), 1);
        vm.snapshotGasLastCall("StreamEscrow", "distribute, 2 payees, first");
        _redeem(10, 10);
        vm.snapshotGasLastCall("StreamEscrow", "redeem, 10 x 10 lines");
        escrow.distribute(trackOf(0), 1);
        vm.snapshotGasLastCall("StreamEscrow", "distribute, 2 payees");
    }

    function test_gasOfWholeTracks() public {
        token.mint(address(this), 100_000);
        token.approve(address(escrow), 100_000);
        escrow.payTrack(trackOf(0), NODE, address(0), 100);
        vm.snapshotGasLastCall("StreamEscrow", "payTrack, track that never earned");
        escrow.payTrack(trackOf(0), NODE, address(0), 100);
        vm.snapshotGasLastCall("StreamEscrow", "payTrack");
        token.transfer(purchases.purchaseOf(trackOf(0), NODE), 100);
        purchases.settle(trackOf(0), NODE);
        vm.snapshotGasLastCall("TrackPurchases", "settle, first of a track and node");
        token.transfer(purchases.purchaseOf(trackOf(0), NODE), 100);
        purchases.settle(trackOf(0), NODE);
        vm.snapshotGasLastCall("TrackPurchases", "settle");
    }

    function test_gasOfRedeemingAHundredListeners() public {
        _reserveAll();
        _redeem(LISTENERS, 10);
        uint256 gas = vm.snapshotGasLastCall("StreamEscrow", "redeem, 100 x 10 lines");
        require(gas <= LISTENERS * 10 * 5500, "at most 5,500 per line");
    }

    function test_gasOfRedeemingAHundredTracks() public {
        for (uint96 i = 10; i < 100; ++i) registerTrack(i);
        _reserveAll();
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](10);
        for (uint96 i; i < 10; ++i) claims[i] = _claim(i, 10, i * 10);
        vm.prank(NODE);
        escrow.redeem(NODE, claims);
        vm.snapshotGasLastCall("StreamEscrow", "redeem, 10 x 10 lines, each of another track that never earned");
    }

    function _reserveAll() private {
        for (uint256 i; i < LISTENERS; ++i) {
            address listener = vm.addr(1 + i);
            deposit(listener, RESERVE);
            reserveOne(listener, NODE, RESERVE);
        }
    }

    /// @dev Vouchers of the first listeners for the same tracks.
    function _redeem(uint256 listeners, uint96 lines) private {
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](listeners);
        for (uint256 i; i < listeners; ++i) claims[i] = _claim(i, lines, 0);
        vm.prank(NODE);
        escrow.redeem(NODE, claims);
    }

    function _claim(
        uint256 listener,
        uint96 lines,
        uint96 firstTrack
    ) private view returns (IStreamEscrow.Claim memory) {
        bytes memory packed;
        for (uint96 i; i < lines; ++i) {
            address curator = address(uint160(CURATOR) + uint160(i) % 3);
            packed = abi.encodePacked(packed, line(trackOf(firstTrack + i), curator, 4020));
        }
        address who = vm.addr(1 + listener);
        uint96 base = escrow.channel(who, who, NODE).settled;
        Voucher memory voucher = Voucher(who, NODE, base, base + lines * 4020, packed);
        return claimOf(voucher, signVoucher(voucher, 1 + listener));
    }
}

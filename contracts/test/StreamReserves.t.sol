// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @dev Reserves, session keys and releases.
contract StreamReservesTest is Payments {
    uint48 private constant NOW = 1_800_000_000;

    function setUp() public {
        deployPayments();
        vm.warp(NOW);
    }

    function testFuzz_aReserveIsRaisedToATotal(uint96 first, uint96 second) public {
        first = uint96(clamp(first, 1, type(uint96).max - 1));
        second = uint96(clamp(second, first + 1, type(uint96).max));
        deposit(payer, second);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Reserved(payer, payer, NODE, first);
        reserveOne(payer, NODE, first);
        escrow.reserveBySig(payer, NODE, second, NOW, signReserve(payer, NODE, second, NOW, PAYER_KEY));
        require(escrow.channel(payer, payer, NODE).reserved == second, "a total, not a sum");
        require(escrow.balanceOf(payer) == 0, "taken from the balance once");
    }

    /// @dev After a reorganisation a node sends what it has again, and so may anybody else.
    function test_aSignedReserveThatIsSentAgainReservesNothingMore() public {
        deposit(payer, 1000);
        bytes memory signature = signReserve(payer, NODE, 400, NOW, PAYER_KEY);
        escrow.reserveBySig(payer, NODE, 400, NOW, signature);
        _expectNotRaised(payer, 400, 400);
        escrow.reserveBySig(payer, NODE, 400, NOW, signature);

        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, 400);
        vm.warp(NOW + RELEASE);
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
        signature = signReserve(payer, NODE, 400, NOW + RELEASE, PAYER_KEY);
        // Not even after the release: nobody can lock the money once more.
        _expectNotRaised(payer, 400, 400);
        escrow.reserveBySig(payer, NODE, 400, NOW + RELEASE, signature);
        require(escrow.balanceOf(payer) == 1000, "all of it is the payer's");
    }

    function test_aReserveIsOfWhatThereIs() public {
        deposit(payer, 99);
        _expectInsufficient(payer, 99, 100);
        reserveOne(payer, NODE, 100);
        _expectInsufficient(payer, 99, 100);
        escrow.reserveBySig(payer, NODE, 100, NOW, signReserve(payer, NODE, 100, NOW, PAYER_KEY));
    }

    function test_aReserveIsForItsTimeNodeAndTotal() public {
        deposit(payer, 1000);
        bytes memory signature = signReserve(payer, NODE, 100, NOW, PAYER_KEY);
        vm.expectRevert();
        escrow.reserveBySig(payer, BAND, 100, NOW, signature);
        vm.expectRevert();
        escrow.reserveBySig(payer, NODE, 101, NOW, signature);
        vm.expectRevert();
        escrow.reserveBySig(payer, NODE, 100, NOW + 1, signature);
        vm.warp(NOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamDeadlinePassed.selector, NOW, NOW + 1));
        escrow.reserveBySig(payer, NODE, 100, NOW, signature);
    }

    function test_aSessionKeyReservesUpToItsCapAndItsTime() public {
        deposit(payer, 1000);
        uint48 expiry = NOW + 1 hours;
        bytes memory authorization = signSession(payer, sessionKey, 300, expiry, PAYER_KEY);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.SessionAuthorized(payer, sessionKey, 300, expiry);
        escrow.authorizeSessionBySig(payer, sessionKey, 300, expiry, authorization);

        _reserveBySession(NODE, 200);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStreamEscrow.StreamSessionCapExceeded.selector,
                sessionKey,
                uint96(300),
                uint256(301)
            )
        );
        _reserveBySession(BAND, 101);
        _reserveBySession(BAND, 100);
        require(escrow.session(payer, sessionKey).reserved == 300, "all of its cap");
        require(escrow.channel(payer, sessionKey, NODE).reserved == 200, "in a channel of its own");

        vm.prank(payer);
        escrow.authorizeSession(sessionKey, 500, expiry);
        vm.warp(expiry + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStreamEscrow.StreamSessionExpired.selector,
                sessionKey,
                uint256(expiry),
                uint256(expiry) + 1
            )
        );
        _reserveBySession(NODE, 201);
    }

    function test_whatASessionKeyReservedStaysRedeemable() public {
        bytes32 track = registerTrack(1);
        deposit(payer, 1000);
        vm.prank(payer);
        escrow.authorizeSession(sessionKey, 300, NOW);
        _reserveBySession(NODE, 300);
        vm.warp(NOW + 30 days);
        vm.prank(payer);
        escrow.revokeSession(sessionKey);
        redeemOne(Voucher(payer, NODE, 0, 100, line(track, CURATOR, 100)), SESSION_KEY);
        require(escrow.channel(payer, sessionKey, NODE).settled == 100, "after its time, and revoked");

        // It spends what it reserved, and nothing else: the payer's own reserve is not its.
        reserveOne(payer, NODE, 500);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStreamEscrow.StreamReserveExceeded.selector,
                payer,
                sessionKey,
                uint96(400),
                uint96(300)
            )
        );
        redeemOne(Voucher(payer, NODE, 100, 400, line(track, CURATOR, 300)), SESSION_KEY);
    }

    function test_aSessionKeyThatWasTakenBackStaysSo() public {
        deposit(payer, 1000);
        bytes memory authorization = signSession(payer, sessionKey, 300, NOW, PAYER_KEY);
        escrow.authorizeSessionBySig(payer, sessionKey, 300, NOW, authorization);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.SessionRevoked(payer, sessionKey);
        vm.prank(payer);
        escrow.revokeSession(sessionKey);

        _expectUnknownSession(sessionKey);
        _reserveBySession(NODE, 1);
        _expectUnknownSession(sessionKey);
        escrow.authorizeSessionBySig(payer, sessionKey, 300, NOW, authorization);
    }

    function test_anOldAuthorizationTakesNothingBack() public {
        bytes memory small = signSession(payer, sessionKey, 100, NOW, PAYER_KEY);
        escrow.authorizeSessionBySig(payer, sessionKey, 100, NOW, small);
        vm.prank(payer);
        escrow.authorizeSession(sessionKey, 200, NOW + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStreamEscrow.StreamSessionShrunk.selector,
                sessionKey,
                uint96(200),
                NOW + 1
            )
        );
        escrow.authorizeSessionBySig(payer, sessionKey, 100, NOW, small);
    }

    function test_onlyThePayerAuthorizes() public {
        bytes memory byItself = signSession(payer, sessionKey, 100, NOW, SESSION_KEY);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamSignerInvalid.selector, sessionKey, payer));
        escrow.authorizeSessionBySig(payer, sessionKey, 100, NOW, byItself);
        deposit(payer, 1000);
        _expectUnknownSession(sessionKey);
        _reserveBySession(NODE, 1);
        _expectUnknownSession(payer);
        vm.prank(payer);
        escrow.authorizeSession(payer, 1, NOW);
    }

    function testFuzz_aReleaseWaitsAndThenReturnsWhatIsLeft(uint96 amount, uint96 redeemed, uint48 early) public {
        bytes32 track = registerTrack(1);
        amount = uint96(clamp(amount, 1, 1000));
        redeemed = uint96(clamp(redeemed, 1, 1000));
        early = uint48(clamp(early, 0, RELEASE - 1));
        deposit(payer, 1000);
        reserveOne(payer, NODE, 1000);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.ReleaseInitiated(payer, payer, NODE, amount, NOW + RELEASE);
        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, amount);

        vm.warp(NOW + early);
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamReleaseNotReady.selector, NOW + RELEASE, NOW + early)
        );
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
        // The node has until then to redeem all that it was promised.
        redeemOne(Voucher(payer, NODE, 0, redeemed, line(track, CURATOR, redeemed)), PAYER_KEY);

        vm.warp(NOW + RELEASE);
        uint96 left = amount < 1000 - redeemed ? amount : 1000 - redeemed;
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Released(payer, payer, NODE, left);
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
        require(escrow.balanceOf(payer) == left, "returned");
        IStreamEscrow.Channel memory channel = escrow.channel(payer, payer, NODE);
        require(channel.reserved == 1000 && channel.released == left && channel.settled == redeemed, "totals");

        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamNotReleasing.selector, payer, NODE));
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
    }

    function test_onceReleasedAVoucherIsTooLate() public {
        bytes32 track = registerTrack(1);
        deposit(payer, 1000);
        reserveOne(payer, NODE, 1000);
        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, 600);
        vm.warp(NOW + RELEASE);
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStreamEscrow.StreamReserveExceeded.selector,
                payer,
                payer,
                uint96(401),
                uint96(400)
            )
        );
        redeemOne(Voucher(payer, NODE, 0, 401, line(track, CURATOR, 401)), PAYER_KEY);
        redeemOne(Voucher(payer, NODE, 0, 400, line(track, CURATOR, 400)), PAYER_KEY);
    }

    function test_aReleaseIsOfWhatIsThereAndCanBeTakenBack() public {
        deposit(payer, 1000);
        reserveOne(payer, NODE, 1000);
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamReleaseTooLarge.selector, uint96(1001), uint96(1000))
        );
        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, 1001);

        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, 1000);
        vm.prank(payer);
        escrow.initiateRelease(payer, NODE, 0);
        vm.warp(NOW + RELEASE);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamNotReleasing.selector, payer, NODE));
        vm.prank(payer);
        escrow.finalizeRelease(payer, NODE);
        // Nobody but the payer releases: for others there is nothing.
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamReleaseTooLarge.selector, uint96(1), uint96(0))
        );
        vm.prank(NODE);
        escrow.initiateRelease(payer, NODE, 1);
    }

    function _reserveBySession(address node, uint96 total) private {
        escrow.reserveBySig(
            payer,
            node,
            total,
            block.timestamp,
            signReserve(payer, node, total, block.timestamp, SESSION_KEY)
        );
    }

    function _expectInsufficient(address account, uint256 balance, uint256 needed) private {
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamBalanceInsufficient.selector, account, balance, needed)
        );
    }

    function _expectNotRaised(address key, uint96 total, uint96 reserved) private {
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamReserveNotRaised.selector, key, NODE, total, reserved)
        );
    }

    function _expectUnknownSession(address key) private {
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamSessionUnknown.selector, payer, key));
    }
}

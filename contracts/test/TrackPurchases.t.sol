// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {LocalDollar} from "../src/LocalDollar.sol";
import {StreamEscrow} from "../src/StreamEscrow.sol";
import {TrackPurchase} from "../src/TrackPurchase.sol";
import {TrackPurchases} from "../src/TrackPurchases.sol";
import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {ITrackPurchases} from "../src/interfaces/ITrackPurchases.sol";
import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {FeeToken, HookToken} from "./support/Tokens.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @dev Whole tracks, paid for at once or by a plain transfer.
contract TrackPurchasesTest is Payments {
    bytes32 private track;

    function setUp() public {
        deployPayments();
        track = registerTrack(1);
    }

    /// @dev The same amount once by voucher, and once at once.
    function testFuzz_isSplitLikeARedeemedLine(uint96 amount, bool curated) public {
        amount = uint96(clamp(amount, 1, type(uint96).max));
        address curator = curated ? CURATOR : address(0);
        deposit(payer, amount);
        reserveOne(payer, NODE, amount);
        redeemOne(Voucher(payer, NODE, 0, amount, line(track, curator, amount)), PAYER_KEY);
        uint256[3] memory redeemed = _earned();

        _fund(amount);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.TrackPaid(address(this), NODE, track, curator, amount);
        escrow.payTrack(track, NODE, curator, amount);
        uint256[3] memory all = _earned();
        for (uint256 i; i < 3; ++i) require(all[i] == 2 * redeemed[i], "twice the same");
        require(all[0] + all[1] + all[2] == 2 * uint256(amount), "to the last unit");
        require(token.balanceOf(address(escrow)) == 2 * uint256(amount), "it is there");
    }

    function testFuzz_aTransferBuysATrackWhoeverSettlesIt(uint96 amount, address anybody) public {
        amount = uint96(clamp(amount, 1, type(uint96).max));
        address purchase = purchases.purchaseOf(track, NODE);
        require(purchase.code.length == 0, "nothing is there yet");
        token.mint(purchase, amount);
        vm.expectEmit(address(purchases));
        emit ITrackPurchases.TrackPurchaseSettled(track, NODE, purchase, amount);
        vm.prank(anybody);
        require(purchases.settle(track, NODE) == amount, "says how much");
        uint256[3] memory all = _earned();
        require(all[0] + all[1] + all[2] == amount && all[1] == 0, "to the last unit, and no curator's");
        require(token.balanceOf(purchase) == 0 && token.balanceOf(address(escrow)) == amount, "all of it");

        token.mint(purchase, 10);
        require(purchases.purchaseOf(track, NODE) == purchase && purchases.settle(track, NODE) == 10, "and again");
    }

    function testFuzz_everyTrackAndNodeHasAnAddress(bytes32 one, bytes32 other, address node, address otherNode) public view {
        vm.assume(one != other && node != otherNode);
        address purchase = purchases.purchaseOf(one, node);
        require(purchase != purchases.purchaseOf(other, node), "of its track");
        require(purchase != purchases.purchaseOf(one, otherNode), "of its node");
    }

    function testFuzz_anAuthorizationIsUsedAndSplitInOne(uint96 amount, address anybody) public {
        amount = uint96(clamp(amount, 1, type(uint96).max));
        token.mint(payer, amount);
        ITrackPurchases.Authorization memory signed = _authorize(purchases.purchaseOf(track, NODE), amount);
        vm.prank(anybody);
        require(purchases.settleWithAuthorization(track, NODE, signed) == amount, "says how much");
        uint256[3] memory all = _earned();
        require(all[0] + all[1] + all[2] == amount && token.balanceOf(payer) == 0, "to the last unit");

        bytes memory used = abi.encodeWithSelector(
            LocalDollar.DollarAuthorizationUsed.selector,
            payer,
            signed.nonce
        );
        vm.expectRevert(used);
        purchases.settleWithAuthorization(track, NODE, signed);
    }

    function test_anAuthorizationIsForItsTrackNodeAndAmount() public {
        bytes32 other = registerTrack(2);
        token.mint(payer, 100);
        ITrackPurchases.Authorization memory signed = _authorize(purchases.purchaseOf(track, NODE), 50);
        vm.expectPartialRevert(LocalDollar.DollarSignerInvalid.selector);
        purchases.settleWithAuthorization(other, NODE, signed);
        vm.expectPartialRevert(LocalDollar.DollarSignerInvalid.selector);
        purchases.settleWithAuthorization(track, BAND, signed);
        signed.value = 51;
        vm.expectPartialRevert(LocalDollar.DollarSignerInvalid.selector);
        purchases.settleWithAuthorization(track, NODE, signed);
    }

    function test_moreThanALineCanCarryIsSettledInTurns() public {
        token.mint(purchases.purchaseOf(track, NODE), uint256(type(uint96).max) + 5);
        require(purchases.settle(track, NODE) == type(uint96).max, "as much as a line carries");
        require(purchases.settle(track, NODE) == 5, "and the rest");
    }

    function test_nothingAndNobodyAreRefused() public {
        _fund(10);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAccountZero.selector));
        escrow.payTrack(track, address(0), address(0), 10);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAmountZero.selector));
        escrow.payTrack(track, NODE, address(0), 0);
        address purchase = purchases.purchaseOf(track, NODE);
        vm.expectRevert(abi.encodeWithSelector(ITrackPurchases.PurchaseNothingToSettle.selector, purchase));
        purchases.settle(track, NODE);
        vm.expectRevert(abi.encodeWithSelector(ITrackPurchases.PurchaseContractMissing.selector, BAND));
        new TrackPurchases(IStreamEscrow(BAND));
    }

    function test_whatIsPaidForATrackWithoutTermsWaitsForThem() public {
        bytes32 unknown = trackOf(9);
        token.mint(purchases.purchaseOf(unknown, NODE), 100);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackUnknown.selector, unknown));
        purchases.settle(unknown, NODE);
        registerTrack(9);
        require(purchases.settle(unknown, NODE) == 100, "it waited");
    }

    function test_aPurchaseObeysTheFactoryAlone() public {
        token.mint(purchases.purchaseOf(track, NODE), 100);
        purchases.settle(track, NODE);
        TrackPurchase purchase = TrackPurchase(purchases.purchaseOf(track, NODE));
        token.mint(address(purchase), 100);
        vm.expectRevert(abi.encodeWithSelector(TrackPurchase.PurchaseNotFactory.selector, address(this)));
        purchase.settle(trackOf(2), BAND);
    }

    function test_ofATokenWithAFeeWhatArrivesIsSplit() public {
        FeeToken costly = new FeeToken();
        escrow = new StreamEscrow(costly, tracks, operators, RELEASE);
        purchases = new TrackPurchases(escrow);
        costly.mint(purchases.purchaseOf(track, NODE), 10_000);
        purchases.settle(track, NODE);
        uint256[3] memory all = _earned();
        require(all[0] + all[1] + all[2] == 9_900, "what arrived");
        require(costly.balanceOf(address(escrow)) == 9_900, "and no more is owed");
    }

    function test_aTokenThatCallsBackIsRefused() public {
        HookToken hooked = new HookToken();
        escrow = new StreamEscrow(hooked, tracks, operators, RELEASE);
        hooked.mint(address(this), 100);
        hooked.approve(address(escrow), 100);
        hooked.arm(address(escrow), abi.encodeCall(StreamEscrow.payTrack, (track, NODE, address(0), 1)));
        vm.expectRevert(abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
        escrow.payTrack(track, NODE, address(0), 10);
    }

    function _fund(uint96 amount) private {
        token.mint(address(this), amount);
        token.approve(address(escrow), amount);
    }

    /// @dev The payer lets an amount go to an account.
    function _authorize(address to, uint256 value) private view returns (ITrackPurchases.Authorization memory signed) {
        bytes32 typeHash = keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        (signed.from, signed.value, signed.validBefore, signed.nonce) = (payer, value, type(uint64).max, "once");
        bytes32 message = keccak256(abi.encode(typeHash, payer, to, value, 0, signed.validBefore, signed.nonce));
        bytes32 hash = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), message));
        (signed.v, signed.r, signed.s) = vm.sign(PAYER_KEY, hash);
    }

    /// @dev What node, curator and track have earned so far.
    function _earned() private view returns (uint256[3] memory) {
        (uint128 total, ) = escrow.earnedBy(track, 1);
        return [escrow.balanceOf(NODE), escrow.balanceOf(CURATOR), uint256(total)];
    }
}

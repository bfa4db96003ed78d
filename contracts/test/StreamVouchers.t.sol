// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {SECP256K1_N, clamp, vm} from "./support/Vm.sol";

/// @dev What is paid with a voucher, and every way to be paid by a wrong one.
contract StreamVouchersTest is Payments {
    uint96 private constant RESERVED = 1_000_000;
    address private constant HOT_KEY = address(0x407);

    bytes32 private track;
    bytes32 private otherTrack;

    function setUp() public {
        deployPayments();
        vm.warp(1_800_000_000);
        track = registerTrack(1);
        otherTrack = registerTrack(2);
        deposit(payer, 2 * RESERVED);
        reserveOne(payer, NODE, RESERVED);
    }

    function testFuzz_paysNodeCuratorAndTrackToTheLastUnit(uint96 first, uint96 second) public {
        first = uint96(clamp(first, 1, RESERVED - 1));
        second = uint96(clamp(second, 1, RESERVED - first));
        bytes memory lines = bytes.concat(line(track, CURATOR, first), line(otherTrack, address(0), second));
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Redeemed(payer, payer, NODE, 0, first + second, lines);
        redeemOne(Voucher(payer, NODE, 0, first + second, lines), PAYER_KEY);

        uint256 nodeAmount = (uint256(first) * 1500) / 10_000 + (uint256(second) * 1500) / 10_000;
        uint256 curatorAmount = (uint256(first) * 300) / 10_000;
        require(escrow.balanceOf(NODE) == nodeAmount, "node");
        require(escrow.balanceOf(CURATOR) == curatorAmount, "curator, of the line that names it");
        (uint128 earned, ) = escrow.earnedBy(track, 1);
        (uint128 otherEarned, ) = escrow.earnedBy(otherTrack, 1);
        require(earned + otherEarned + nodeAmount + curatorAmount == uint256(first) + second, "nothing is lost");
        require(escrow.balanceOf(address(0)) == 0, "nobody is no curator");
        IStreamEscrow.Channel memory channel = escrow.channel(payer, payer, NODE);
        require(channel.settled == first + second && channel.reserved == RESERVED, "settled");
    }

    function test_isPaidVoucherAfterVoucher() public {
        redeemOne(_voucher(0, 100), PAYER_KEY);
        redeemOne(_voucher(100, 250), PAYER_KEY);
        redeemOne(_voucher(250, RESERVED), PAYER_KEY);
        require(escrow.channel(payer, payer, NODE).settled == RESERVED, "all of it");
        require(escrow.balanceOf(payer) == RESERVED, "and no more");
    }

    function test_aVoucherIsRedeemedOnce() public {
        bytes memory signature = signVoucher(_voucher(0, 100), PAYER_KEY);
        redeemSigned(_voucher(0, 100), signature);
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamVoucherStale.selector, payer, payer, uint96(0), uint96(100))
        );
        redeemSigned(_voucher(0, 100), signature);
    }

    function test_anOlderVoucherIsWorthNothingAfterANewerOne() public {
        redeemOne(_voucher(0, 300), PAYER_KEY);
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamVoucherStale.selector, payer, payer, uint96(0), uint96(300))
        );
        redeemOne(_voucher(0, 200), PAYER_KEY);
        // Nor does one that skips what was not settled.
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamVoucherStale.selector, payer, payer, uint96(400), uint96(300))
        );
        redeemOne(_voucher(400, 500), PAYER_KEY);
    }

    function testFuzz_noMoreThanIsReserved(uint96 cumulative) public {
        cumulative = uint96(clamp(cumulative, RESERVED + 1, type(uint96).max));
        _expectExceeded(payer, cumulative, RESERVED);
        redeemOne(_voucher(0, cumulative), PAYER_KEY);
    }

    function testFuzz_whatWasAlteredIsAStrangers(uint8 place) public {
        Voucher memory signed = _voucher(0, 100);
        bytes memory signature = signVoucher(signed, PAYER_KEY);
        Voucher memory altered = _voucher(0, 100);
        uint256 index = clamp(place, 0, 63);
        altered.lines[index] = bytes1(uint8(altered.lines[index]) ^ 1);
        vm.expectRevert();
        redeemSigned(altered, signature);
        require(escrow.channel(payer, payer, NODE).settled == 0, "nothing happened");
    }

    function test_aVoucherOfAnotherChainContractOrNodeIsAStrangers() public {
        Voucher memory voucher = _voucher(0, 100);
        bytes32[3] memory digests = [
            voucherDigest(address(escrow), block.chainid + 1, voucher),
            voucherDigest(address(tracks), block.chainid, voucher),
            voucherDigest(address(escrow), block.chainid, Voucher(payer, BAND, 0, 100, voucher.lines))
        ];
        for (uint256 i; i < digests.length; ++i) {
            bytes memory signature = signHash(digests[i], PAYER_KEY);
            bytes32 digest = voucherDigest(address(escrow), block.chainid, voucher);
            _expectExceeded(ECDSA.recover(digest, signature), 100, 0);
            redeemSigned(voucher, signature);
        }
    }

    function test_onAForkTheVouchersOfTheOtherSideAreStrangers() public {
        bytes memory signature = signVoucher(_voucher(0, 100), PAYER_KEY);
        vm.chainId(block.chainid + 1);
        vm.expectRevert();
        redeemSigned(_voucher(0, 100), signature);
        redeemSigned(_voucher(0, 100), signVoucher(_voucher(0, 100), PAYER_KEY));
    }

    function test_onlyOneFormOfASignatureCounts() public {
        Voucher memory voucher = _voucher(0, 100);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, voucherDigest(address(escrow), block.chainid, voucher));
        bytes32 highS = bytes32(SECP256K1_N - uint256(s));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, highS));
        redeemSigned(voucher, abi.encodePacked(r, highS, v == 27 ? uint8(28) : uint8(27)));

        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector));
        redeemSigned(voucher, abi.encodePacked(r, s, v - 27));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 64));
        redeemSigned(voucher, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 66));
        redeemSigned(voucher, abi.encodePacked(r, s, v, uint8(0)));
    }

    function testFuzz_onlyTheOperatorAndItsHotKeyRedeem(address stranger) public {
        vm.assume(stranger != NODE && stranger != HOT_KEY);
        vm.prank(NODE);
        operators.register(address(0), "https://node.example", "", HOT_KEY, 0);
        IStreamEscrow.Claim[] memory claims = _signed(_voucher(0, 100));
        // Nor the payer, who would redeem the cheapest voucher and so kill the others.
        address[2] memory callers = [stranger, payer];
        for (uint256 i; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamNotOperator.selector, NODE, callers[i]));
            vm.prank(callers[i]);
            escrow.redeem(NODE, claims);
        }
        vm.prank(HOT_KEY);
        escrow.redeem(NODE, claims);
        require(escrow.balanceOf(NODE) == 15 && escrow.balanceOf(HOT_KEY) == 0, "the operator is paid");
    }

    function test_anOldHotKeyRedeemsNoMore() public {
        vm.prank(NODE);
        operators.register(address(0), "https://node.example", "", HOT_KEY, 0);
        vm.prank(NODE);
        operators.update("https://node.example", "", address(0x408), 0);
        IStreamEscrow.Claim[] memory claims = _signed(_voucher(0, 100));
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamNotOperator.selector, NODE, HOT_KEY));
        vm.prank(HOT_KEY);
        escrow.redeem(NODE, claims);
    }

    function test_allOrNothing() public {
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](2);
        claims[0] = claimOf(_voucher(0, 100), signVoucher(_voucher(0, 100), PAYER_KEY));
        claims[1] = claimOf(_voucher(100, RESERVED + 1), signVoucher(_voucher(100, RESERVED + 1), PAYER_KEY));
        _expectExceeded(payer, RESERVED + 1, RESERVED);
        vm.prank(NODE);
        escrow.redeem(NODE, claims);
        require(escrow.balanceOf(NODE) == 0 && escrow.channel(payer, payer, NODE).settled == 0, "nothing");
    }

    function testFuzz_linesAreWhole(uint8 length) public {
        Voucher memory voucher = _voucher(0, 100);
        voucher.lines = new bytes(length);
        if (length == 0 || length % 64 != 0) {
            vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamLinesMalformed.selector, uint256(length)));
        } else {
            vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAmountZero.selector));
        }
        redeemOne(voucher, PAYER_KEY);
    }

    function testFuzz_linesAreWhatTheVoucherAdds(uint96 amount) public {
        vm.assume(amount != 100 && amount != 0);
        Voucher memory voucher = _voucher(50, 150);
        redeemOne(_voucher(0, 50), PAYER_KEY);
        voucher.lines = line(track, CURATOR, amount);
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamLinesSum.selector, uint256(amount), uint96(50), uint96(150))
        );
        redeemOne(voucher, PAYER_KEY);
    }

    function test_aTotalThatFallsIsNotPaid() public {
        redeemOne(_voucher(0, 200), PAYER_KEY);
        Voucher memory voucher = _voucher(200, 250);
        voucher.cumulative = 150;
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamLinesSum.selector, uint256(50), uint96(200), uint96(150))
        );
        redeemOne(voucher, PAYER_KEY);
    }

    function test_aLineForNothingIsRefusedWhoeverSignedIt() public {
        Voucher memory voucher = Voucher(payer, NODE, 0, 0, line(track, CURATOR, 0));
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAmountZero.selector));
        redeemOne(voucher, 0xBAD);
        voucher = Voucher(payer, NODE, 0, 5, bytes.concat(line(track, CURATOR, 5), line(track, CURATOR, 0)));
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAmountZero.selector));
        redeemOne(voucher, PAYER_KEY);
    }

    function test_aTrackWithoutTermsCannotBePaid() public {
        Voucher memory voucher = Voucher(payer, NODE, 0, 5, line(trackOf(99), CURATOR, 5));
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackUnknown.selector, trackOf(99)));
        redeemOne(voucher, PAYER_KEY);
    }

    /// @dev A listener who skips through many tracks makes lines that cost more than they pay. They are paid all the
    /// same, each rounded in favour of its track: the node has to refuse such vouchers.
    function test_manySmallLinesPayTheNodeNothing() public {
        bytes memory lines;
        for (uint256 i; i < 50; ++i) lines = bytes.concat(lines, line(track, CURATOR, 1));
        redeemOne(Voucher(payer, NODE, 0, 50, lines), PAYER_KEY);
        require(escrow.balanceOf(NODE) == 0 && escrow.balanceOf(CURATOR) == 0, "rounded down");
        (uint128 earned, ) = escrow.earnedBy(track, 1);
        require(earned == 50, "nothing is lost");
    }

    function test_oneTrackInManyLinesAndVouchersOfOneTransactionEarnsAllOfThem() public {
        bytes memory lines = bytes.concat(line(track, CURATOR, 1000), line(track, BAND, 2000));
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](2);
        claims[0] = claimOf(
            Voucher(payer, NODE, 0, 3000, lines),
            signVoucher(Voucher(payer, NODE, 0, 3000, lines), PAYER_KEY)
        );
        claims[1] = claimOf(
            Voucher(payer, NODE, 3000, 6000, lines),
            signVoucher(Voucher(payer, NODE, 3000, 6000, lines), PAYER_KEY)
        );
        vm.prank(NODE);
        escrow.redeem(NODE, claims);
        (uint128 earned, ) = escrow.earnedBy(track, 1);
        require(earned == 4920 && escrow.balanceOf(NODE) == 900, "82 and 15 percent");
        require(escrow.balanceOf(CURATOR) == 60 && escrow.balanceOf(BAND) == 120, "3 percent");
    }

    function test_whatWasEarnedUnderOldTermsIsSplitByThem() public {
        redeemOne(_voucher(0, 10_000), PAYER_KEY);
        ITrackRegistry.Terms memory terms = termsOf(4000, 0);
        (terms.payeeBps[0], terms.payeeBps[1]) = (1, 9999);
        vm.prank(artist);
        tracks.setTerms(track, terms);
        vm.warp(block.timestamp + 7 days);
        redeemOne(_voucher(10_000, 20_000), PAYER_KEY);
        (uint128 before, ) = escrow.earnedBy(track, 1);
        (uint128 since, ) = escrow.earnedBy(track, 2);
        require(before == 8200 && since == 6000, "15 and 3 percent before, 40 since");

        escrow.distribute(track, 1);
        require(escrow.balanceOf(BAND) == 2733, "old shares");
        escrow.distribute(track, 2);
        require(escrow.balanceOf(BAND) == 2733 + 5999, "new shares");
        require(escrow.balanceOf(BAND) + escrow.balanceOf(artist) == 14_200, "to the last unit");
    }

    function testFuzz_distributingMoreOftenChangesNothing(uint96 first, uint96 second) public {
        first = uint96(clamp(first, 1, RESERVED / 2));
        second = uint96(clamp(second, 1, RESERVED / 2));
        redeemOne(_voucher(0, first), PAYER_KEY);
        escrow.distribute(track, 1);
        redeemOne(_voucher(first, first + second), PAYER_KEY);
        escrow.distribute(track, 1);
        (uint128 total, uint128 distributed) = escrow.earnedBy(track, 1);
        require(total == distributed, "all of it");
        require(escrow.balanceOf(BAND) == (uint256(total) * 3333) / 10_000, "as if split once");
        require(escrow.balanceOf(artist) == total - escrow.balanceOf(BAND), "the first gets the rest");

        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamNothingToDistribute.selector, track, uint24(1))
        );
        escrow.distribute(track, 1);
    }

    function test_fewerUnitsThanPayeesAreSplitAsFarAsTheyGo() public {
        ITrackRegistry.Terms memory terms = termsOf(1500, 0);
        terms.payees = new address[](16);
        terms.payeeBps = new uint16[](16);
        for (uint160 i; i < 16; ++i) (terms.payees[i], terms.payeeBps[i]) = (address(0xE0 + i), 625);
        bytes32 shared = trackOf(3);
        vm.prank(artist);
        tracks.setTerms(shared, terms);
        // Of a line of one unit nothing is the node's.
        for (uint96 i; i < 20; ++i) {
            redeemOne(Voucher(payer, NODE, i, i + 1, line(shared, address(0), 1)), PAYER_KEY);
            escrow.distribute(shared, 1);
        }
        uint256 paid;
        for (uint160 i; i < 16; ++i) paid += escrow.balanceOf(address(0xE0 + i));
        require(paid == 20, "to the last unit");
        require(escrow.balanceOf(address(0xE1)) == 1 && escrow.balanceOf(address(0xE2)) == 0, "in turn");
    }

    function test_saysWhoGotWhat() public {
        redeemOne(_voucher(0, 10_000), PAYER_KEY);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Distributed(track, 1, 8200);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.PayeeCredited(track, BAND, 2733);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.PayeeCredited(track, artist, 5467);
        escrow.distribute(track, 1);
    }

    /// @dev A voucher for one line of the track.
    function _voucher(uint96 base, uint96 cumulative) private view returns (Voucher memory) {
        return Voucher(payer, NODE, base, cumulative, line(track, CURATOR, cumulative - base));
    }

    function _signed(Voucher memory voucher) private view returns (IStreamEscrow.Claim[] memory claims) {
        claims = new IStreamEscrow.Claim[](1);
        claims[0] = claimOf(voucher, signVoucher(voucher, PAYER_KEY));
    }

    function _expectExceeded(address signer, uint96 cumulative, uint96 limit) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IStreamEscrow.StreamReserveExceeded.selector,
                payer,
                signer,
                cumulative,
                limit
            )
        );
    }
}

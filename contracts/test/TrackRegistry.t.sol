// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {Payments} from "./support/Payments.sol";
import {clamp, vm} from "./support/Vm.sol";

contract TrackRegistryTest is Payments {
    uint48 private constant WEEK = 7 days;
    address private constant BUYER = address(0xB0);

    function setUp() public {
        deployPayments();
        vm.warp(1_800_000_000);
    }

    function test_itsAuthorRegistersATrackWithTermsInForceAtOnce() public {
        bytes32 track = trackOf(7);
        vm.expectEmit(address(tracks));
        emit ITrackRegistry.TrackRegistered(track, artist);
        vm.expectEmit(address(tracks));
        emit ITrackRegistry.TermsSet(track, 1, uint48(block.timestamp), termsOf(1500, 300));
        registerTrack(7);

        require(tracks.ownerOf(track) == artist, "its author's");
        (uint24 version, ITrackRegistry.Terms memory terms) = tracks.termsOf(track);
        require(version == 1 && keccak256(abi.encode(terms)) == keccak256(abi.encode(termsOf(1500, 300))), "as set");
        (uint24 sharesVersion, uint16 nodeBps, uint16 curatorBps) = tracks.sharesOf(track);
        require(sharesVersion == 1 && nodeBps == 1500 && curatorBps == 300, "shares");
    }

    function testFuzz_nobodyElseRegistersIt(address other, uint96 number) public {
        vm.assume(other != artist);
        bytes32 track = trackOf(number);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackNotOwned.selector, track, artist, other));
        vm.prank(other);
        tracks.setTerms(track, termsOf(1500, 300));
    }

    function testFuzz_aChangeWaitsAWeek(uint48 early) public {
        early = uint48(clamp(early, 0, WEEK - 1));
        bytes32 track = registerTrack(1);
        uint48 effectiveAt = uint48(block.timestamp) + WEEK;
        _set(track, termsOf(4000, 0));

        (uint24 waiting, uint48 from) = tracks.changeOf(track);
        require(waiting == 2 && from == effectiveAt && tracks.latestVersion(track) == 2, "announced");
        vm.warp(effectiveAt - WEEK + early);
        _expectInForce(track, 1, 1500);
        vm.warp(effectiveAt);
        _expectInForce(track, 2, 4000);
        (waiting, from) = tracks.changeOf(track);
        require(waiting == 0 && from == 0, "waits no more");
        require(tracks.termsAt(track, 1).nodeBps == 1500, "the past is not forgotten");
    }

    function test_aLaterChangeReplacesTheOneThatWaits() public {
        bytes32 track = registerTrack(1);
        _set(track, termsOf(2000, 0));
        vm.warp(block.timestamp + WEEK - 1);
        _set(track, termsOf(3000, 0));
        vm.warp(block.timestamp + 1);
        _expectInForce(track, 1, 1500);
        vm.warp(block.timestamp + WEEK);
        _expectInForce(track, 3, 3000);
        _set(track, termsOf(500, 0));
        _expectInForce(track, 3, 3000);
    }

    function test_aChangeThatWaitsCanBeDropped() public {
        bytes32 track = registerTrack(1);
        _set(track, termsOf(2000, 0));
        vm.expectEmit(address(tracks));
        emit ITrackRegistry.TermsCancelled(track, 2);
        vm.prank(artist);
        tracks.cancelChange(track);
        vm.warp(block.timestamp + WEEK);
        _expectInForce(track, 1, 1500);

        _expectNoChange(track);
        _set(track, termsOf(2500, 0));
        vm.warp(block.timestamp + WEEK);
        _expectInForce(track, 3, 2500);
        _expectNoChange(track);
    }

    function test_aSignatureSetsTermsOnce() public {
        bytes32 track = trackOf(1);
        bytes memory first = signTerms(track, 1, termsOf(1500, 300), block.timestamp, ARTIST_KEY);
        tracks.setTermsBySig(track, termsOf(1500, 300), block.timestamp, first);
        require(tracks.ownerOf(track) == artist, "registered");

        vm.expectRevert();
        tracks.setTermsBySig(track, termsOf(1500, 300), block.timestamp, first);

        bytes memory second = signTerms(track, 2, termsOf(2000, 0), block.timestamp, ARTIST_KEY);
        tracks.setTermsBySig(track, termsOf(2000, 0), block.timestamp, second);
        vm.prank(artist);
        tracks.cancelChange(track);
        // What was dropped cannot be brought back by whoever has the signature.
        vm.expectRevert();
        tracks.setTermsBySig(track, termsOf(2000, 0), block.timestamp, second);
    }

    function test_aSignatureIsForWhatItSaysAndForItsTime() public {
        bytes32 track = trackOf(1);
        uint256 deadline = block.timestamp;
        bytes memory signature = signTerms(track, 1, termsOf(1500, 300), deadline, ARTIST_KEY);
        ITrackRegistry.Terms memory others = termsOf(1500, 300);
        others.payees[1] = BUYER;
        vm.expectRevert();
        tracks.setTermsBySig(track, others, deadline, signature);
        vm.expectRevert();
        tracks.setTermsBySig(trackOf(2), termsOf(1500, 300), deadline, signature);
        vm.warp(deadline + 1);
        vm.expectRevert(
            abi.encodeWithSelector(ITrackRegistry.TrackDeadlinePassed.selector, deadline, deadline + 1)
        );
        tracks.setTermsBySig(track, termsOf(1500, 300), deadline, signature);
    }

    function test_aTrackGoesToWhoAcceptsItWithoutAChangeThatWaits() public {
        bytes32 track = registerTrack(1);
        _set(track, termsOf(4000, 0));
        vm.expectEmit(address(tracks));
        emit ITrackRegistry.TrackOffered(track, artist, BUYER);
        vm.prank(artist);
        tracks.offerTrack(track, BUYER);
        require(tracks.ownerOf(track) == artist && tracks.offeredTo(track) == BUYER, "offered, not given");

        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackNotOffered.selector, track, BAND));
        vm.prank(BAND);
        tracks.acceptTrack(track);
        vm.expectEmit(address(tracks));
        emit ITrackRegistry.TrackTransferred(track, artist, BUYER);
        vm.expectEmit(address(tracks));
        emit ITrackRegistry.TermsCancelled(track, 2);
        vm.prank(BUYER);
        tracks.acceptTrack(track);

        require(tracks.ownerOf(track) == BUYER && tracks.offeredTo(track) == address(0), "the buyer's");
        vm.warp(block.timestamp + WEEK);
        _expectInForce(track, 1, 1500);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackNotOwned.selector, track, BUYER, artist));
        _set(track, termsOf(500, 0));
        vm.prank(BUYER);
        tracks.setTerms(track, termsOf(500, 0));
    }

    function test_anOfferCanBeTakenBack() public {
        bytes32 track = registerTrack(1);
        vm.prank(artist);
        tracks.offerTrack(track, BUYER);
        vm.prank(artist);
        tracks.offerTrack(track, address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackNotOffered.selector, track, BUYER));
        vm.prank(BUYER);
        tracks.acceptTrack(track);
    }

    function test_whatIsNotThereIsSaidToBeMissing() public {
        bytes32 track = trackOf(1);
        bytes memory unknown = abi.encodeWithSelector(ITrackRegistry.TrackUnknown.selector, track);
        vm.expectRevert(unknown);
        tracks.termsOf(track);
        vm.expectRevert(unknown);
        tracks.sharesOf(track);
        vm.expectRevert(unknown);
        tracks.cancelChange(track);
        vm.expectRevert(unknown);
        tracks.offerTrack(track, BUYER);
        // Nobody can accept what was never offered: an unregistered track is offered to no account.
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackNotOffered.selector, track, BUYER));
        vm.prank(BUYER);
        tracks.acceptTrack(track);
        registerTrack(1);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackTermsUnknown.selector, track, 2));
        tracks.termsAt(track, 2);
    }

    function test_onlyItsOwnerOffersItAndDropsItsChange() public {
        bytes32 track = registerTrack(1);
        bytes memory refusal = abi.encodeWithSelector(ITrackRegistry.TrackNotOwned.selector, track, artist, BUYER);
        vm.expectRevert(refusal);
        vm.prank(BUYER);
        tracks.offerTrack(track, BUYER);
        vm.expectRevert(refusal);
        vm.prank(BUYER);
        tracks.cancelChange(track);
    }

    function testFuzz_sharesAreWithinBounds(uint16 nodeBps, uint16 curatorBps) public {
        if (nodeBps < 500 || nodeBps > 4000) {
            vm.expectRevert(
                abi.encodeWithSelector(ITrackRegistry.TrackNodeShareOutOfBounds.selector, nodeBps, 500, 4000)
            );
        } else if (curatorBps > 500) {
            vm.expectRevert(
                abi.encodeWithSelector(ITrackRegistry.TrackCuratorShareTooLarge.selector, curatorBps, 500)
            );
        }
        _set(trackOf(1), termsOf(nodeBps, curatorBps));
    }

    function testFuzz_payeesShareAllThereIs(uint16 share) public {
        ITrackRegistry.Terms memory terms = termsOf(1500, 300);
        terms.payeeBps[1] = share;
        if (share == 0) {
            vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackPayeeEmpty.selector, 1));
        } else if (share != 3333) {
            vm.expectRevert(
                abi.encodeWithSelector(ITrackRegistry.TrackSharesNotWhole.selector, 6667 + uint256(share))
            );
        }
        _set(trackOf(1), terms);
    }

    function test_payeesAreNotNobodyAndNotTooMany() public {
        ITrackRegistry.Terms memory terms = termsOf(1500, 300);
        terms.payees[0] = address(0);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackPayeeEmpty.selector, 0));
        _set(trackOf(1), terms);

        for (uint256 count; count <= 17; count += 17) {
            terms.payees = new address[](count);
            terms.payeeBps = new uint16[](count);
            vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackPayeesMalformed.selector, count, count, 16));
            _set(trackOf(1), terms);
        }
        terms = termsOf(1500, 300);
        terms.payeeBps = new uint16[](1);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackPayeesMalformed.selector, 2, 1, 16));
        _set(trackOf(1), terms);
    }

    function _set(bytes32 track, ITrackRegistry.Terms memory terms) private {
        vm.prank(artist);
        tracks.setTerms(track, terms);
    }

    function _expectInForce(bytes32 track, uint24 version, uint16 nodeBps) private view {
        (uint24 inForce, ITrackRegistry.Terms memory terms) = tracks.termsOf(track);
        (uint24 ofShares, uint16 bps, ) = tracks.sharesOf(track);
        require(inForce == version && ofShares == version, "number");
        require(terms.nodeBps == nodeBps && bps == nodeBps, "share");
    }

    function _expectNoChange(bytes32 track) private {
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackNoChange.selector, track));
        vm.prank(artist);
        tracks.cancelChange(track);
    }
}

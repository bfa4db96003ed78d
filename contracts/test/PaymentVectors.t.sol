// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StreamEscrow} from "../src/StreamEscrow.sol";
import {TrackRegistry} from "../src/TrackRegistry.sol";
import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {Payments} from "./support/Payments.sol";
import {vm} from "./support/Vm.sol";

/// @dev The vectors that listeners and nodes are held to, taken through the contracts at the addresses for which they
/// were signed.
contract PaymentVectorsTest is Payments {
    string private vectors;
    address private listener;
    address private node;

    function setUp() public {
        deployPayments();
        vectors = vm.readFile("../protocol/vectors/payments.json");
        listener = vm.parseJsonAddress(vectors, ".payer");
        node = vm.parseJsonAddress(vectors, ".node");
        TrackRegistry namedTracks = TrackRegistry(vm.parseJsonAddress(vectors, ".domains.tracks.verifyingContract"));
        vm.etch(address(namedTracks), address(tracks).code);
        tracks = namedTracks;
        escrow = new StreamEscrow(token, tracks, operators, RELEASE);
        StreamEscrow namedEscrow = StreamEscrow(vm.parseJsonAddress(vectors, ".domains.escrow.verifyingContract"));
        vm.etch(address(namedEscrow), address(escrow).code);
        escrow = namedEscrow;
    }

    function test_aListenerWithASessionKeyPaysByTheVectors() public {
        vm.warp(1_800_000_000);
        deposit(listener, 1_000_000);
        bytes32 track = _setTerms(".terms");
        bytes32 otherTrack = _setTerms(".otherTerms");
        escrow.authorizeSessionBySig(
            listener,
            vm.parseJsonAddress(vectors, ".sessionKey"),
            uint96(_uint(".session.message.cap")),
            uint48(_uint(".session.message.expiry")),
            _bytes(".session.signature")
        );
        _reserve(".reserve");
        _reserve(".sessionReserve");
        _expectRefused(".refusedSignatures.highS");
        _expectRefused(".refusedSignatures.zeroOrOne");
        _expectRefused(".refusedSignatures.compact");
        _expectRefused(".refusedSignatures.tooLong");
        _expectRefused(".refusedSignatures.zero");

        _redeem(".voucher", ".voucher.signature");
        _redeem(".sessionVoucher", ".sessionVoucher.signature");
        require(
            escrow.channel(listener, listener, node).settled == _uint(".voucher.message.cumulative"),
            "by its own key"
        );
        (uint128 earned, ) = escrow.earnedBy(track, 1);
        (uint128 otherEarned, ) = escrow.earnedBy(otherTrack, 1);
        uint256 splitTrack = _uint(".splits[8].parts.track");
        require(_uint(".splits[8].amount") == 4020 && earned == 2 * splitTrack, "as the vectors split it");
        require(otherEarned == 7 - (uint256(7) * 1500) / 10_000, "of the line without a curator");
    }

    function test_anEdgeVoucherHasItsDigest() public {
        // It is for a track that cannot be registered: that it gets that far shows whose signature it is.
        address who = listener;
        uint96 most = type(uint96).max;
        deposit(who, most);
        reserveOne(who, node, most);
        bytes32 track = bytes32(type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(ITrackRegistry.TrackUnknown.selector, track));
        _redeem(".edgeVoucher", ".edgeVoucher.signature");
    }

    function test_typesAreThoseOfTheVectors() public view {
        require(escrow.VOUCHER_TYPEHASH() == _typeHash(".voucher.type"), "Voucher");
        require(escrow.RESERVE_TYPEHASH() == _typeHash(".reserve.type"), "Reserve");
        require(escrow.SESSION_TYPEHASH() == _typeHash(".session.type"), "Session");
        require(tracks.TERMS_TYPEHASH() == _typeHash(".terms.type"), "Terms");
    }

    function _setTerms(string memory path) private returns (bytes32 track) {
        track = bytes32(_bytes(string.concat(path, ".message.track")));
        ITrackRegistry.Terms memory terms;
        terms.unitPrice = uint96(_uint(string.concat(path, ".message.unitPrice")));
        terms.nodeBps = uint16(_uint(string.concat(path, ".message.nodeBps")));
        terms.curatorBps = uint16(_uint(string.concat(path, ".message.curatorBps")));
        terms.payees = vm.parseJsonAddressArray(vectors, string.concat(path, ".message.payees"));
        uint256[] memory shares = vm.parseJsonUintArray(vectors, string.concat(path, ".message.payeeBps"));
        terms.payeeBps = new uint16[](shares.length);
        for (uint256 i; i < shares.length; ++i) terms.payeeBps[i] = uint16(shares[i]);
        tracks.setTermsBySig(
            track,
            terms,
            _uint(string.concat(path, ".message.deadline")),
            _bytes(string.concat(path, ".signature"))
        );
        require(tracks.ownerOf(track) == listener, "the signer's");
    }

    function _reserve(string memory path) private {
        escrow.reserveBySig(
            listener,
            node,
            uint96(_uint(string.concat(path, ".message.total"))),
            _uint(string.concat(path, ".message.deadline")),
            _bytes(string.concat(path, ".signature"))
        );
    }

    function _expectRefused(string memory signature) private {
        vm.expectRevert();
        _redeem(".voucher", signature);
    }

    function _redeem(string memory path, string memory signature) private {
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](1);
        claims[0] = IStreamEscrow.Claim({
            payer: listener,
            base: uint96(_uint(string.concat(path, ".message.base"))),
            cumulative: uint96(_uint(string.concat(path, ".message.cumulative"))),
            lines: _bytes(string.concat(path, ".message.lines")),
            signature: _bytes(signature)
        });
        vm.prank(node);
        escrow.redeem(node, claims);
    }

    function _uint(string memory path) private view returns (uint256) {
        return vm.parseJsonUint(vectors, path);
    }

    function _bytes(string memory path) private view returns (bytes memory) {
        return vm.parseJsonBytes(vectors, path);
    }

    function _typeHash(string memory path) private view returns (bytes32) {
        return keccak256(bytes(vm.parseJsonString(vectors, path)));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {LocalDollar} from "../../src/LocalDollar.sol";
import {OperatorRegistry} from "../../src/OperatorRegistry.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {StreamEscrow} from "../../src/StreamEscrow.sol";
import {TrackPurchases} from "../../src/TrackPurchases.sol";
import {TrackRegistry} from "../../src/TrackRegistry.sol";
import {IStreamEscrow} from "../../src/interfaces/IStreamEscrow.sol";
import {ITrackRegistry} from "../../src/interfaces/ITrackRegistry.sol";
import {vm} from "./Vm.sol";

struct Voucher {
    address payer;
    address node;
    uint96 base;
    uint96 cumulative;
    bytes lines;
}

/// @dev An escrow with all that it stands on, and signatures as a wallet makes them, knowing of contracts no more than
/// their addresses.
abstract contract Payments {
    uint48 internal constant RELEASE = 1 days;
    uint256 internal constant PAYER_KEY = 0xA11CE;
    uint256 internal constant SESSION_KEY = 0x5E55;
    uint256 internal constant ARTIST_KEY = 0xA47;

    address internal immutable payer = vm.addr(PAYER_KEY);
    address internal immutable sessionKey = vm.addr(SESSION_KEY);
    address internal immutable artist = vm.addr(ARTIST_KEY);
    address internal constant NODE = address(0x40DE);
    address internal constant CURATOR = address(0xC0DE5);
    address internal constant BAND = address(0xBA4D);

    LocalDollar internal token;
    OperatorRegistry internal operators;
    TrackRegistry internal tracks;
    StreamEscrow internal escrow;
    TrackPurchases internal purchases;

    function deployPayments() internal {
        token = new LocalDollar();
        operators = new OperatorRegistry(new StakeVault(token, 1 days), 1);
        tracks = new TrackRegistry();
        escrow = new StreamEscrow(token, tracks, operators, RELEASE);
        purchases = new TrackPurchases(escrow);
    }

    /// @dev The artist's track of a number.
    function trackOf(uint96 number) internal view returns (bytes32) {
        return bytes32((uint256(uint160(artist)) << 96) | number);
    }

    function termsOf(uint16 nodeBps, uint16 curatorBps) internal view returns (ITrackRegistry.Terms memory terms) {
        terms.unitPrice = 134;
        terms.nodeBps = nodeBps;
        terms.curatorBps = curatorBps;
        terms.payees = new address[](2);
        terms.payeeBps = new uint16[](2);
        (terms.payees[0], terms.payees[1]) = (artist, BAND);
        (terms.payeeBps[0], terms.payeeBps[1]) = (6667, 3333);
    }

    function registerTrack(uint96 number) internal returns (bytes32 track) {
        track = trackOf(number);
        vm.prank(artist);
        tracks.setTerms(track, termsOf(1500, 300));
    }

    function deposit(address account, uint256 amount) internal {
        token.mint(address(this), amount);
        token.approve(address(escrow), amount);
        escrow.depositFor(account, amount);
    }

    function reserveOne(address account, address node, uint96 total) internal {
        IStreamEscrow.Reservation[] memory some = new IStreamEscrow.Reservation[](1);
        some[0] = IStreamEscrow.Reservation({node: node, total: total});
        vm.prank(account);
        escrow.reserve(some);
    }

    function line(bytes32 track, address curator, uint96 amount) internal pure returns (bytes memory) {
        return abi.encodePacked(track, curator, amount);
    }

    function claimOf(Voucher memory voucher, bytes memory signature) internal pure returns (IStreamEscrow.Claim memory) {
        return
            IStreamEscrow.Claim({
                payer: voucher.payer,
                base: voucher.base,
                cumulative: voucher.cumulative,
                lines: voucher.lines,
                signature: signature
            });
    }

    /// @dev The node redeems one voucher.
    function redeemOne(Voucher memory voucher, uint256 key) internal {
        redeemSigned(voucher, signVoucher(voucher, key));
    }

    function redeemSigned(Voucher memory voucher, bytes memory signature) internal {
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](1);
        claims[0] = claimOf(voucher, signature);
        vm.prank(voucher.node);
        escrow.redeem(voucher.node, claims);
    }

    function signVoucher(Voucher memory voucher, uint256 key) internal view returns (bytes memory) {
        return signHash(voucherDigest(address(escrow), block.chainid, voucher), key);
    }

    function voucherDigest(address contract_, uint256 chainId, Voucher memory v) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Voucher(address payer,address node,uint96 base,uint96 cumulative,bytes lines)"
        );
        return
            digest(
                contract_,
                chainId,
                keccak256(abi.encode(typeHash, v.payer, v.node, v.base, v.cumulative, keccak256(v.lines)))
            );
    }

    function signReserve(
        address payer_,
        address node,
        uint96 total,
        uint256 deadline,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256("Reserve(address payer,address node,uint96 total,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(typeHash, payer_, node, total, deadline));
        return signHash(digest(address(escrow), block.chainid, message), key);
    }

    function signSession(
        address payer_,
        address sessionKey_,
        uint96 cap,
        uint48 expiry,
        uint256 key
    ) internal view returns (bytes memory) {
        bytes32 typeHash = keccak256("Session(address payer,address key,uint96 cap,uint48 expiry)");
        bytes32 message = keccak256(abi.encode(typeHash, payer_, sessionKey_, cap, expiry));
        return signHash(digest(address(escrow), block.chainid, message), key);
    }

    function signTerms(
        bytes32 track,
        uint24 version,
        ITrackRegistry.Terms memory terms,
        uint256 deadline,
        uint256 key
    ) internal view returns (bytes memory) {
        return signHash(digest(address(tracks), block.chainid, termsMessage(track, version, terms, deadline)), key);
    }

    function termsMessage(
        bytes32 track,
        uint24 version,
        ITrackRegistry.Terms memory terms,
        uint256 deadline
    ) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Terms(bytes32 track,uint24 version,uint96 unitPrice,uint16 nodeBps,uint16 curatorBps,address[] payees,uint16[] payeeBps,uint256 deadline)"
        );
        bytes memory payees;
        bytes memory payeeBps;
        for (uint256 i; i < terms.payees.length; ++i) payees = abi.encodePacked(payees, abi.encode(terms.payees[i]));
        for (uint256 i; i < terms.payeeBps.length; ++i) {
            payeeBps = abi.encodePacked(payeeBps, abi.encode(terms.payeeBps[i]));
        }
        return
            keccak256(
                abi.encode(
                    typeHash,
                    track,
                    version,
                    terms.unitPrice,
                    terms.nodeBps,
                    terms.curatorBps,
                    keccak256(payees),
                    keccak256(payeeBps),
                    deadline
                )
            );
    }

    function digest(address contract_, uint256 chainId, bytes32 message) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Hexachord"),
                keccak256("1"),
                chainId,
                contract_
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    function signHash(bytes32 hash, uint256 key) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @dev Few listeners, by their own and by session keys, pay few nodes for few tracks whose terms change. It keeps
/// accounts of its own: what each address should have, touched only where that address has signed, or is paid.
contract StreamEscrowHandler is Payments {
    uint256 private constant LISTENERS = 2;
    uint256 private constant NODES = 2;
    uint256 private constant CHANNELS = LISTENERS * NODES * 2;
    uint96 private constant TRACKS = 2;
    uint256 private constant ACCOUNTS = 7;

    uint256 public given;
    mapping(address account => uint256) public expected;
    uint256 private _turn;
    mapping(uint256 key => address) private _addressOf;
    mapping(uint256 channel => IStreamEscrow.Channel) private _seen;

    constructor() {
        deployPayments();
        for (uint96 i; i < TRACKS; ++i) registerTrack(i);
        for (uint256 i; i < CHANNELS; ++i) _addressOf[keyOf(i)] = vm.addr(keyOf(i));
        for (uint256 i; i < LISTENERS; ++i) {
            vm.prank(listenerAt(i));
            escrow.authorizeSession(_addressOf[keyAt(i, true)], type(uint96).max, type(uint48).max);
        }
    }

    /// @dev No total ever falls, whatever happened in between; one channel is looked at each time.
    modifier monotone() {
        _;
        (address who, address key, address node) = channelAt(++_turn);
        IStreamEscrow.Channel memory now_ = escrow.channel(who, key, node);
        IStreamEscrow.Channel storage before = _seen[_turn % CHANNELS];
        require(now_.reserved >= before.reserved, "reserved fell");
        require(now_.settled >= before.settled, "settled fell");
        require(now_.released >= before.released, "released fell");
        _seen[_turn % CHANNELS] = now_;
    }

    function payIn(uint256 listener, uint80 amount) external monotone {
        amount = uint80(clamp(amount, 1, type(uint80).max));
        address who = listenerAt(listener);
        deposit(who, amount);
        expected[who] += amount;
    }

    function payOut(uint256 account, uint256 amount) external monotone {
        address who = accountAt(account);
        if (expected[who] == 0) return;
        amount = clamp(amount, 1, expected[who]);
        vm.prank(who);
        escrow.withdraw(address(0x0A7), amount);
        expected[who] -= amount;
    }

    function reserve(uint256 channel, uint96 amount) external monotone {
        (address who, address itsKey, address node) = channelAt(channel);
        (uint256 key, uint256 most) = (keyOf(channel), expected[who]);
        if (most == 0) return;
        amount = uint96(clamp(amount, 1, most));
        uint96 total = escrow.channel(who, itsKey, node).reserved + amount;
        escrow.reserveBySig(who, node, total, block.timestamp, signReserve(who, node, total, block.timestamp, key));
        expected[who] -= amount;
    }

    function redeem(uint256 channel, uint96 amount, uint8 track, bool curated, uint256 split) external monotone {
        (address who, address key, address node) = channelAt(channel);
        IStreamEscrow.Channel memory self = escrow.channel(who, key, node);
        uint96 available = self.reserved - self.released - self.settled;
        if (available < 2) return;
        amount = uint96(clamp(amount, 2, available));
        uint96 first = uint96(clamp(split, 1, amount - 1));
        bytes memory lines = bytes.concat(
            line(trackOf(track % TRACKS), curated ? CURATOR : address(0), first),
            line(trackOf((uint96(track) + 1) % TRACKS), CURATOR, amount - first)
        );
        redeemOne(Voucher(who, node, self.settled, self.settled + amount, lines), keyOf(channel));
        _expectSplit(node, track, curated, first);
        _expectSplit(node, uint96(track) + 1, true, amount - first);
    }

    /// @dev Whole tracks are bought by whoever likes.
    function payTrack(uint256 node, uint8 track, bool curated, uint96 amount) external monotone {
        amount = uint96(clamp(amount, 1, type(uint96).max / 2));
        token.mint(address(this), amount);
        token.approve(address(escrow), amount);
        escrow.payTrack(trackOf(track % TRACKS), nodeAt(node), curated ? CURATOR : address(0), amount);
        _expectSplit(nodeAt(node), track, curated, amount);
    }

    /// @dev The same by a plain transfer to where it is settled from.
    function purchase(uint256 node, uint8 track, uint80 amount) external monotone {
        amount = uint80(clamp(amount, 1, type(uint80).max));
        token.mint(purchases.purchaseOf(trackOf(track % TRACKS), nodeAt(node)), amount);
        purchases.settle(trackOf(track % TRACKS), nodeAt(node));
        _expectSplit(nodeAt(node), track, false, amount);
    }

    /// @dev Nobody is paid by what others have signed, nor twice, nor more than is reserved.
    function attack(uint256 channel, uint96 amount, uint256 key, address attacker) external monotone {
        (address who, address itsKey, address node) = channelAt(channel);
        IStreamEscrow.Channel memory self = escrow.channel(who, itsKey, node);
        amount = uint96(clamp(amount, 1, type(uint96).max - self.settled));
        bytes memory lines = line(trackOf(0), attacker, amount);
        Voucher memory forged = Voucher(who, node, self.settled, self.settled + amount, lines);
        IStreamEscrow.Claim[] memory claims = new IStreamEscrow.Claim[](1);
        claims[0] = claimOf(forged, signVoucher(forged, clamp(key, 1000, type(uint128).max)));
        vm.prank(node);
        try escrow.redeem(node, claims) {
            revert("paid by a stranger's signature");
        } catch {}
        vm.prank(attacker);
        try escrow.withdraw(attacker, expected[attacker] + 1) {
            revert("withdrew more than it has");
        } catch {}
    }

    function initiateRelease(uint256 channel, uint96 amount) external monotone {
        (address who, address key, address node) = channelAt(channel);
        IStreamEscrow.Channel memory self = escrow.channel(who, key, node);
        vm.prank(who);
        escrow.initiateRelease(key, node, uint96(clamp(amount, 0, self.reserved - self.released - self.settled)));
    }

    function finalizeRelease(uint256 channel) external monotone {
        (address who, address key, address node) = channelAt(channel);
        IStreamEscrow.Channel memory self = escrow.channel(who, key, node);
        if (self.readyAt == 0) return;
        if (block.timestamp < self.readyAt) vm.warp(self.readyAt);
        vm.prank(who);
        escrow.finalizeRelease(key, node);
        uint96 available = self.reserved - self.released - self.settled;
        expected[who] += self.releasing < available ? self.releasing : available;
    }

    function distribute(uint96 track, uint24 version) external monotone {
        bytes32 id = trackOf(track % TRACKS);
        version = uint24(clamp(version, 1, tracks.latestVersion(id)));
        (uint128 total, uint128 distributed) = escrow.earnedBy(id, version);
        if (total == distributed) return;
        escrow.distribute(id, version);
        uint256 forBand = (uint256(total) * 3333) / 10_000 - (uint256(distributed) * 3333) / 10_000;
        expected[BAND] += forBand;
        expected[artist] += total - distributed - forBand;
    }

    function setTerms(uint96 track, uint16 nodeBps, uint16 curatorBps, uint32 wait) external monotone {
        bytes32 id = trackOf(track % TRACKS);
        if (tracks.latestVersion(id) > 4) return;
        vm.prank(artist);
        tracks.setTerms(id, termsOf(uint16(clamp(nodeBps, 500, 4000)), uint16(clamp(curatorBps, 0, 500))));
        vm.warp(block.timestamp + clamp(wait, 0, 8 days));
    }

    function give(uint80 amount) external monotone {
        token.mint(address(escrow), amount);
        given += amount;
    }

    function listenerAt(uint256 index) public view returns (address) {
        return _addressOf[keyAt(index, false)];
    }

    function keyAt(uint256 listener, bool session) public pure returns (uint256) {
        return 1 + (listener % LISTENERS) + (session ? 100 : 0);
    }

    /// @dev Private key of a channel.
    function keyOf(uint256 index) public pure returns (uint256) {
        uint256 i = index % CHANNELS;
        return keyAt(i, i >= LISTENERS * NODES);
    }

    function channelAt(uint256 index) public view returns (address who, address key, address node) {
        uint256 i = index % CHANNELS;
        return (listenerAt(i), _addressOf[keyOf(i)], nodeAt(i / LISTENERS));
    }

    function nodeAt(uint256 index) public pure returns (address) {
        return address(uint160(NODE) + uint160(index % NODES));
    }

    /// @dev Everybody who can have money.
    function accountAt(uint256 index) public view returns (address) {
        address[7] memory all = [
            listenerAt(0),
            listenerAt(1),
            nodeAt(0),
            nodeAt(1),
            CURATOR,
            artist,
            BAND
        ];
        return all[index % ACCOUNTS];
    }

    /// @notice Everybody has what it paid in and was paid, less what it has itself signed away.
    function checkBalances() external view {
        for (uint256 i; i < ACCOUNTS; ++i) {
            require(escrow.balanceOf(accountAt(i)) == expected[accountAt(i)], "balance as expected");
        }
    }

    /// @notice The escrow holds what it owes to accounts, reserves and tracks, and what was given to it, to the last unit:
    /// so no split lost or made any. And what is settled was reserved, and not released.
    function checkBooks() external view {
        uint256 owed;
        for (uint256 i; i < ACCOUNTS; ++i) owed += expected[accountAt(i)];
        for (uint256 i; i < CHANNELS; ++i) {
            (address who, address key, address node) = channelAt(i);
            IStreamEscrow.Channel memory channel = escrow.channel(who, key, node);
            require(uint256(channel.settled) + channel.released <= channel.reserved, "settled and released");
            owed += channel.reserved - channel.released - channel.settled;
        }
        for (uint96 i; i < TRACKS; ++i) {
            for (uint24 version = 1; version <= tracks.latestVersion(trackOf(i)); ++version) {
                (uint128 total, uint128 distributed) = escrow.earnedBy(trackOf(i), version);
                owed += total - distributed;
            }
        }
        require(token.balanceOf(address(escrow)) == owed + given, "balance is what is owed");
    }

    function _expectSplit(address node, uint96 track, bool curated, uint256 amount) private {
        (, ITrackRegistry.Terms memory terms) = tracks.termsOf(trackOf(track % TRACKS));
        expected[node] += (amount * terms.nodeBps) / 10_000;
        if (curated) expected[CURATOR] += (amount * terms.curatorBps) / 10_000;
    }
}

contract StreamEscrowInvariants {
    StreamEscrowHandler private handler;
    address[] private targets;

    function setUp() public {
        handler = new StreamEscrowHandler();
        targets.push(address(handler));
    }

    function targetContracts() public view returns (address[] memory) {
        return targets;
    }

    /// @notice Solvent, exact, and nobody's balance moves without its signature: in one, since the histories take the time.
    function invariant_everybodyHasItsOwn() public view {
        handler.checkBalances();
        handler.checkBooks();
    }
}

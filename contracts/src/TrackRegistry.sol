// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ITrackRegistry} from "./interfaces/ITrackRegistry.sol";

/// @title {ITrackRegistry}, for the EIP-712 domain `Hexachord`, version `1`, on this chain at this address.
contract TrackRegistry is ITrackRegistry, EIP712 {
    /// @dev `latest` is in force instead of `version` from `effectiveAt` on, which is zero when no change is waiting.
    struct Track {
        address owner;
        uint24 version;
        uint24 latest;
        uint48 effectiveAt;
    }

    struct Payee {
        address account;
        uint16 bps;
    }

    struct StoredTerms {
        uint96 unitPrice;
        uint16 nodeBps;
        uint16 curatorBps;
        Payee[] payees;
    }

    /// @inheritdoc ITrackRegistry
    uint48 public constant CHANGE_DELAY = 7 days;

    /// @inheritdoc ITrackRegistry
    uint16 public constant MIN_NODE_BPS = 500;

    /// @inheritdoc ITrackRegistry
    uint16 public constant MAX_NODE_BPS = 4000;

    /// @inheritdoc ITrackRegistry
    uint16 public constant MAX_CURATOR_BPS = 500;

    /// @inheritdoc ITrackRegistry
    uint256 public constant MAX_PAYEES = 16;

    /// @inheritdoc ITrackRegistry
    bytes32 public constant TERMS_TYPEHASH =
        keccak256(
            "Terms(bytes32 track,uint24 version,uint96 unitPrice,uint16 nodeBps,uint16 curatorBps,address[] payees,uint16[] payeeBps,uint256 deadline)"
        );

    uint256 private constant WHOLE_BPS = 10_000;

    /// @inheritdoc ITrackRegistry
    mapping(bytes32 track => address) public offeredTo;

    mapping(bytes32 track => Track) private _tracks;
    mapping(bytes32 track => mapping(uint24 version => StoredTerms)) private _terms;

    constructor() EIP712("Hexachord", "1") {}

    /// @inheritdoc ITrackRegistry
    function setTerms(bytes32 track, Terms calldata terms) external {
        _setTerms(track, terms, msg.sender);
    }

    /// @inheritdoc ITrackRegistry
    function setTermsBySig(bytes32 track, Terms calldata terms, uint256 deadline, bytes calldata signature) external {
        if (block.timestamp > deadline) revert TrackDeadlinePassed(deadline, block.timestamp);
        bytes32 digest = _hashTypedDataV4(
            keccak256(
                abi.encode(
                    TERMS_TYPEHASH,
                    track,
                    _tracks[track].latest + 1,
                    terms.unitPrice,
                    terms.nodeBps,
                    terms.curatorBps,
                    keccak256(abi.encodePacked(terms.payees)),
                    keccak256(abi.encodePacked(terms.payeeBps)),
                    deadline
                )
            )
        );
        _setTerms(track, terms, ECDSA.recoverCalldata(digest, signature));
    }

    /// @inheritdoc ITrackRegistry
    function cancelChange(bytes32 track) external {
        Track storage self = _owned(track);
        if (block.timestamp >= self.effectiveAt) revert TrackNoChange(track);
        _cancelChange(track, self);
    }

    /// @inheritdoc ITrackRegistry
    function offerTrack(bytes32 track, address to) external {
        _owned(track);
        offeredTo[track] = to;
        emit TrackOffered(track, msg.sender, to);
    }

    /// @inheritdoc ITrackRegistry
    function acceptTrack(bytes32 track) external {
        if (offeredTo[track] != msg.sender) revert TrackNotOffered(track, msg.sender);
        Track storage self = _tracks[track];
        address from = self.owner;
        delete offeredTo[track];
        self.owner = msg.sender;
        emit TrackTransferred(track, from, msg.sender);
        if (block.timestamp < self.effectiveAt) _cancelChange(track, self);
    }

    /// @inheritdoc ITrackRegistry
    function ownerOf(bytes32 track) external view returns (address) {
        return _tracks[track].owner;
    }

    /// @inheritdoc ITrackRegistry
    function termsOf(bytes32 track) external view returns (uint24 version, Terms memory terms) {
        version = _versionInForce(track);
        terms = _load(_terms[track][version]);
    }

    /// @inheritdoc ITrackRegistry
    function termsAt(bytes32 track, uint24 version) external view returns (Terms memory terms) {
        StoredTerms storage stored = _terms[track][version];
        if (stored.payees.length == 0) revert TrackTermsUnknown(track, version);
        terms = _load(stored);
    }

    /// @inheritdoc ITrackRegistry
    function changeOf(bytes32 track) external view returns (uint24 version, uint48 effectiveAt) {
        Track storage self = _tracks[track];
        if (block.timestamp < self.effectiveAt) return (self.latest, self.effectiveAt);
    }

    /// @inheritdoc ITrackRegistry
    function latestVersion(bytes32 track) external view returns (uint24) {
        return _tracks[track].latest;
    }

    /// @inheritdoc ITrackRegistry
    function sharesOf(bytes32 track) external view returns (uint24 version, uint16 nodeBps, uint16 curatorBps) {
        version = _versionInForce(track);
        StoredTerms storage stored = _terms[track][version];
        return (version, stored.nodeBps, stored.curatorBps);
    }

    /// @dev Sets terms in the name of whoever called or signed.
    function _setTerms(bytes32 track, Terms calldata terms, address caller) private {
        Track storage self = _tracks[track];
        bool registered = self.owner != address(0);
        address owner = registered ? self.owner : address(bytes20(track));
        if (caller != owner) revert TrackNotOwned(track, owner, caller);
        _check(terms);

        uint24 version = self.latest + 1;
        uint48 effectiveAt = uint48(block.timestamp);
        if (registered) {
            self.version = _versionInForce(track);
            effectiveAt += CHANGE_DELAY;
            self.effectiveAt = effectiveAt;
        } else {
            self.owner = owner;
            self.version = version;
            emit TrackRegistered(track, owner);
        }
        self.latest = version;
        _store(_terms[track][version], terms);
        emit TermsSet(track, version, effectiveAt, terms);
    }

    function _cancelChange(bytes32 track, Track storage self) private {
        self.effectiveAt = 0;
        emit TermsCancelled(track, self.latest);
    }

    function _store(StoredTerms storage stored, Terms calldata terms) private {
        stored.unitPrice = terms.unitPrice;
        stored.nodeBps = terms.nodeBps;
        stored.curatorBps = terms.curatorBps;
        for (uint256 i; i < terms.payees.length; ++i) {
            stored.payees.push(Payee({account: terms.payees[i], bps: terms.payeeBps[i]}));
        }
    }

    function _load(StoredTerms storage stored) private view returns (Terms memory terms) {
        uint256 count = stored.payees.length;
        terms.unitPrice = stored.unitPrice;
        terms.nodeBps = stored.nodeBps;
        terms.curatorBps = stored.curatorBps;
        terms.payees = new address[](count);
        terms.payeeBps = new uint16[](count);
        for (uint256 i; i < count; ++i) {
            Payee memory payee = stored.payees[i];
            terms.payees[i] = payee.account;
            terms.payeeBps[i] = payee.bps;
        }
    }

    function _owned(bytes32 track) private view returns (Track storage self) {
        self = _tracks[track];
        if (self.owner == address(0)) revert TrackUnknown(track);
        if (self.owner != msg.sender) revert TrackNotOwned(track, self.owner, msg.sender);
    }

    function _versionInForce(bytes32 track) private view returns (uint24) {
        Track memory self = _tracks[track];
        if (self.owner == address(0)) revert TrackUnknown(track);
        return self.effectiveAt != 0 && block.timestamp >= self.effectiveAt ? self.latest : self.version;
    }

    function _check(Terms calldata terms) private pure {
        if (terms.nodeBps < MIN_NODE_BPS || terms.nodeBps > MAX_NODE_BPS) {
            revert TrackNodeShareOutOfBounds(terms.nodeBps, MIN_NODE_BPS, MAX_NODE_BPS);
        }
        if (terms.curatorBps > MAX_CURATOR_BPS) revert TrackCuratorShareTooLarge(terms.curatorBps, MAX_CURATOR_BPS);
        uint256 count = terms.payees.length;
        if (count == 0 || count > MAX_PAYEES || count != terms.payeeBps.length) {
            revert TrackPayeesMalformed(count, terms.payeeBps.length, MAX_PAYEES);
        }
        uint256 sum;
        for (uint256 i; i < count; ++i) {
            if (terms.payees[i] == address(0) || terms.payeeBps[i] == 0) revert TrackPayeeEmpty(i);
            sum += terms.payeeBps[i];
        }
        if (sum != WHOLE_BPS) revert TrackSharesNotWhole(sum);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Catalog} from "../src/Catalog.sol";
import {ICatalog} from "../src/interfaces/ICatalog.sol";
import {Action, SignedActions} from "./support/SignedActions.sol";
import {SECP256K1_N, clamp, vm} from "./support/Vm.sol";

contract CatalogTest is SignedActions {
    Catalog private catalog;

    function setUp() public {
        catalog = new Catalog();
    }

    function testFuzz_carriesWhatWasSignedWhoeverRelaysIt(Action memory action, uint256 seed, address relayer) public {
        (uint256 key, address signer) = _signer(seed);
        action.deadline = clamp(action.deadline, block.timestamp, type(uint256).max);
        bytes memory signature = sign(catalog, action, key);

        vm.expectEmit(address(catalog));
        emit ICatalog.Acted(signer, action.author, action.nonce, action.kind, action.subject, action.content);
        vm.prank(relayer);
        act(catalog, action, signature);

        require(catalog.isNonceUsed(signer, action.nonce), "nonce is used up");
    }

    function testFuzz_refusesTheSameNonceAgainWhateverItSays(Action memory first, Action memory second, uint256 seed)
        public
    {
        (uint256 key, address signer) = _signer(seed);
        first.deadline = second.deadline = type(uint256).max;
        second.nonce = first.nonce;
        act(catalog, first, sign(catalog, first, key));

        bytes memory signature = sign(catalog, second, key);
        vm.expectRevert(abi.encodeWithSelector(ICatalog.CatalogNonceUsed.selector, signer, first.nonce));
        act(catalog, second, signature);
    }

    function testFuzz_noncesOfOneSignerAreNotAnothers(Action memory action, uint256 seed, uint256 otherNonce) public {
        (uint256 key, address signer) = _signer(seed);
        (uint256 otherKey, address other) = _signer(uint256(keccak256(abi.encode(seed))));
        vm.assume(other != signer);
        vm.assume(otherNonce != action.nonce);
        action.deadline = type(uint256).max;

        act(catalog, action, sign(catalog, action, key));
        require(!catalog.isNonceUsed(other, action.nonce), "another signer's nonce is untouched");
        require(!catalog.isNonceUsed(signer, otherNonce), "another nonce is untouched");
        act(catalog, action, sign(catalog, action, otherKey));
    }

    /// @dev ecrecover gives some address for nearly any message, so a forged one must at least never be the victim's.
    function testFuzz_aChangedActionIsNotTheSigners(Action memory action, uint256 seed, uint8 field) public {
        (uint256 key, address signer) = _signer(seed);
        action.deadline = clamp(action.deadline, block.timestamp, type(uint256).max - 1);
        bytes memory signature = sign(catalog, action, key);

        uint256 signedNonce = action.nonce;
        uint256 which = field % 6;
        if (which == 0) action.author = address(uint160(action.author) ^ 1);
        if (which == 1) action.nonce ^= 1;
        if (which == 2) action.kind ^= 1;
        if (which == 3) action.subject ^= bytes32(uint256(1));
        if (which == 4) action.content = bytes.concat(action.content, hex"00");
        if (which == 5) action.deadline += 1;

        tryAct(catalog, action, signature);
        require(!catalog.isNonceUsed(signer, action.nonce), "the forged action was not taken for the signer's");
        require(!catalog.isNonceUsed(signer, signedNonce), "the signed nonce is still free");
    }

    function testFuzz_refusesLateActions(Action memory action, uint256 seed, uint64 now_) public {
        now_ = uint64(clamp(now_, 1, type(uint64).max));
        vm.warp(now_);
        (uint256 key, ) = _signer(seed);
        action.deadline = clamp(action.deadline, 0, uint256(now_) - 1);
        bytes memory signature = sign(catalog, action, key);

        vm.expectRevert(abi.encodeWithSelector(ICatalog.CatalogDeadlinePassed.selector, action.deadline, now_));
        act(catalog, action, signature);
    }

    function testFuzz_refusesLongContent(uint256 length, uint256 seed) public {
        length = clamp(length, 8193, 20_000);
        (uint256 key, ) = _signer(seed);
        Action memory action;
        action.content = new bytes(length);
        action.deadline = block.timestamp;
        bytes memory signature = sign(catalog, action, key);

        vm.expectRevert(abi.encodeWithSelector(ICatalog.CatalogContentTooLong.selector, length, 8192));
        act(catalog, action, signature);
    }

    function testFuzz_aSignatureHoldsOnOneChainOnly(Action memory action, uint256 seed, uint64 otherChain) public {
        vm.assume(otherChain != 0 && otherChain != block.chainid);
        (uint256 key, address signer) = _signer(seed);
        action.deadline = type(uint256).max;
        bytes memory signature = sign(catalog, action, key);

        vm.chainId(otherChain);
        tryAct(catalog, action, signature);
        require(!catalog.isNonceUsed(signer, action.nonce), "not the signer's on another chain");
        act(catalog, action, sign(catalog, action, key));
        require(catalog.isNonceUsed(signer, action.nonce), "signed anew, it holds on the other chain");
    }

    function testFuzz_namesAnActionByAllButDeadlineAndRelayer(Action memory action, address signer) public view {
        bytes32 expected = keccak256(
            abi.encode(
                signer,
                action.author,
                action.nonce,
                action.kind,
                action.subject,
                keccak256(action.content)
            )
        );
        bytes32 actual = catalog.actionHash(
            signer,
            action.author,
            action.nonce,
            action.kind,
            action.subject,
            action.content
        );
        require(actual == expected, "hash as specified");
    }

    function _signer(uint256 seed) private pure returns (uint256 key, address signer) {
        key = clamp(seed, 1, SECP256K1_N - 1);
        signer = vm.addr(key);
    }
}

/// @dev Three signers act, replay and collide on few nonces.
contract CatalogHandler is SignedActions {
    uint256 public constant SIGNERS = 3;
    uint256 public constant NONCES = 8;

    Catalog public immutable catalog;

    mapping(address signer => mapping(uint256 nonce => uint256)) public timesCarried;

    constructor(Catalog catalog_) {
        catalog = catalog_;
    }

    function carry(uint256 who, uint256 nonce, uint16 kind, bytes32 subject, bytes calldata content) external {
        (uint256 key, address signer) = signerAt(who);
        Action memory action = Action({
            author: signer,
            nonce: nonceAt(nonce),
            kind: kind,
            subject: subject,
            content: content,
            deadline: type(uint256).max
        });
        bytes memory signature = sign(catalog, action, key);
        bytes memory replayed = abi.encodeWithSelector(ICatalog.CatalogNonceUsed.selector, signer, action.nonce);
        for (uint256 attempt; attempt < 2; ++attempt) {
            (bool ok, bytes memory reason) = tryAct(catalog, action, signature);
            if (ok) ++timesCarried[signer][action.nonce];
            else require(keccak256(reason) == keccak256(replayed), "refused for its nonce only");
        }
    }

    function signerAt(uint256 who) public pure returns (uint256 key, address signer) {
        key = (who % SIGNERS) + 1;
        signer = vm.addr(key);
    }

    /// @dev Small numbers, which share a word of the bitmap, and some far away.
    function nonceAt(uint256 index) public pure returns (uint256) {
        uint256 small = index % NONCES;
        return small < NONCES / 2 ? small : type(uint256).max - small;
    }
}

contract CatalogInvariants {
    CatalogHandler private handler;
    address[] private targets;

    function setUp() public {
        handler = new CatalogHandler(new Catalog());
        targets.push(address(handler));
    }

    function targetContracts() public view returns (address[] memory) {
        return targets;
    }

    /// @notice A nonce is carried at most once, and is used exactly if it was carried.
    function invariant_aNonceIsNeverUsedTwice() public view {
        Catalog catalog = handler.catalog();
        for (uint256 who; who < handler.SIGNERS(); ++who) {
            (, address signer) = handler.signerAt(who);
            for (uint256 i; i < handler.NONCES(); ++i) {
                uint256 nonce = handler.nonceAt(i);
                uint256 times = handler.timesCarried(signer, nonce);
                require(times <= 1, "carried twice");
                require(catalog.isNonceUsed(signer, nonce) == (times == 1), "used exactly if carried");
            }
        }
    }
}

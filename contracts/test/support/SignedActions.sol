// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Catalog} from "../../src/Catalog.sol";
import {vm} from "./Vm.sol";

struct Action {
    address author;
    uint256 nonce;
    uint16 kind;
    bytes32 subject;
    bytes content;
    uint256 deadline;
}

/// @dev Signs actions as a wallet would, knowing nothing of the contract but its address.
abstract contract SignedActions {
    function digestOf(Catalog catalog, Action memory action) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Hexachord"),
                keccak256("1"),
                block.chainid,
                address(catalog)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Action(address author,uint256 nonce,uint16 kind,bytes32 subject,bytes content,uint256 deadline)"
                ),
                action.author,
                action.nonce,
                action.kind,
                action.subject,
                keccak256(action.content),
                action.deadline
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    function sign(Catalog catalog, Action memory action, uint256 key) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digestOf(catalog, action));
        return abi.encodePacked(r, s, v);
    }

    function act(Catalog catalog, Action memory action, bytes memory signature) internal {
        (bool ok, bytes memory reason) = tryAct(catalog, action, signature);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    function tryAct(
        Catalog catalog,
        Action memory action,
        bytes memory signature
    ) internal returns (bool ok, bytes memory reason) {
        return
            address(catalog).call(
                abi.encodeCall(
                    Catalog.act,
                    (
                        action.author,
                        action.nonce,
                        action.kind,
                        action.subject,
                        action.content,
                        action.deadline,
                        signature
                    )
                )
            );
    }
}

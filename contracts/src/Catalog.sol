// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {ICatalog} from "./interfaces/ICatalog.sol";

/// @title {ICatalog}, for the EIP-712 domain `Hexachord`, version `1`, on this chain at this address.
contract Catalog is ICatalog, EIP712 {
    using BitMaps for BitMaps.BitMap;

    /// @inheritdoc ICatalog
    uint256 public constant MAX_CONTENT_BYTES = 8192;

    /// @inheritdoc ICatalog
    bytes32 public constant ACTION_TYPEHASH =
        keccak256("Action(address author,uint256 nonce,uint16 kind,bytes32 subject,bytes content,uint256 deadline)");

    mapping(address signer => BitMaps.BitMap) private _usedNonces;

    constructor() EIP712("Hexachord", "1") {}

    /// @inheritdoc ICatalog
    function act(
        address author,
        uint256 nonce,
        uint16 kind,
        bytes32 subject,
        bytes calldata content,
        uint256 deadline,
        bytes calldata signature
    ) external {
        if (content.length > MAX_CONTENT_BYTES) revert CatalogContentTooLong(content.length, MAX_CONTENT_BYTES);
        if (block.timestamp > deadline) revert CatalogDeadlinePassed(deadline, block.timestamp);

        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(ACTION_TYPEHASH, author, nonce, kind, subject, keccak256(content), deadline))
        );
        address signer = ECDSA.recoverCalldata(digest, signature);

        BitMaps.BitMap storage usedNonces = _usedNonces[signer];
        if (usedNonces.get(nonce)) revert CatalogNonceUsed(signer, nonce);
        usedNonces.set(nonce);
        emit Acted(signer, author, nonce, kind, subject, content);
    }

    /// @inheritdoc ICatalog
    function actionHash(
        address signer,
        address author,
        uint256 nonce,
        uint16 kind,
        bytes32 subject,
        bytes calldata content
    ) external pure returns (bytes32) {
        return keccak256(abi.encode(signer, author, nonce, kind, subject, keccak256(content)));
    }

    /// @inheritdoc ICatalog
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool) {
        return _usedNonces[signer].get(nonce);
    }
}

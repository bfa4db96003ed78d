// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/**
 * @title The log of everything that was ever said in the catalogue.
 * @notice Carries signed actions (publish a track, follow, rotate a key, ...) onto the chain. It knows who signed an
 * action and that it was never carried before, and nothing else: what an action means, and whether its signer may speak
 * for its author, is decided by the rules that every indexer applies to the log.
 */
interface ICatalog {
    /**
     * @notice An action entered the log.
     * @param signer Who signed it: the author, or a key that claims to act for the author.
     * @param author The stable identity in whose name it was signed.
     * @param nonce The signer's nonce, used up by this action.
     * @param kind What the action does; numbers are assigned by the protocol.
     * @param subject What it is about: author (20 bytes) followed by a number (12 bytes).
     * @param content The body of the action, encoded as its kind demands.
     */
    event Acted(
        address indexed signer,
        address indexed author,
        uint256 nonce,
        uint16 kind,
        bytes32 indexed subject,
        bytes content
    );

    /// @notice The content is longer than the log accepts. Lengths are in bytes.
    error CatalogContentTooLong(uint256 length, uint256 max);

    /// @notice The action had to be included until `deadline`, but this block is later. Both are unix seconds.
    error CatalogDeadlinePassed(uint256 deadline, uint256 timestamp);

    /// @notice The signer has already used this nonce.
    error CatalogNonceUsed(address signer, uint256 nonce);

    /**
     * @notice Carries one signed action into the log. Anyone may send it: the signature says whose it is, and the
     * sender's address is of no account.
     * @dev The signature is checked by ecrecover alone (65 bytes, low s). Contract signatures are refused on purpose:
     * what was signed must stay valid whatever code the account carries later.
     * @param author The identity in whose name the signer acts.
     * @param nonce Any number that the signer has not used; order does not matter.
     * @param kind What the action does.
     * @param subject What it is about.
     * @param content At most {MAX_CONTENT_BYTES} bytes.
     * @param deadline Last unix second in which the action may be included.
     * @param signature EIP-712 signature, r || s || v, of
     * `Action(address author,uint256 nonce,uint16 kind,bytes32 subject,bytes content,uint256 deadline)`.
     */
    function act(
        address author,
        uint256 nonce,
        uint16 kind,
        bytes32 subject,
        bytes calldata content,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /**
     * @notice How an action is named everywhere. Known before it is sent; depends neither on its deadline nor on who
     * relays it.
     * @return `keccak256(abi.encode(signer, author, nonce, kind, subject, keccak256(content)))`
     */
    function actionHash(
        address signer,
        address author,
        uint256 nonce,
        uint16 kind,
        bytes32 subject,
        bytes calldata content
    ) external pure returns (bytes32);

    /// @notice Whether the signer has used the nonce.
    function isNonceUsed(address signer, uint256 nonce) external view returns (bool);

    /// @notice Longest content of an action, in bytes.
    function MAX_CONTENT_BYTES() external view returns (uint256);

    /// @notice EIP-712 type hash of `Action`.
    function ACTION_TYPEHASH() external view returns (bytes32);
}

// What a litecoind 0.21.2.1 in regtest really answered when a link hash of 32 times 0x42 was
// anchored in block 103: for the tests of RpcLedger.
#pragma once

namespace twinchain::ledger::testing {

inline constexpr char genesis_answer[] =
    R"({"result":"530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9","error")"
    R"(:null,"id":1})";
inline constexpr char create_answer[] =
    R"({"result":"0200000000010000000000000000276a255457494e0142424242424242424242424242424)"
    R"(2424242424242424242424242424242424200000000","error":null,"id":1})";
inline constexpr char fund_answer[] =
    R"({"result":{"hex":"0200000001706d0029b77c132bc182f30bd18581eacd744333e26a67bb029c1cd1)"
    R"(26b0bbcc0000000000fdffffff02a8e5052a01000000160014879785437f9f4296ddf2e285ffff8848c5)"
    R"(5d927b0000000000000000276a255457494e014242424242424242424242424242424242424242424242)"
    R"(42424242424242424200000000","fee":0.00003160,"changepos":0},"error":null,"id":1})";
inline constexpr char sign_answer[] =
    R"({"result":{"hex":"02000000000101706d0029b77c132bc182f30bd18581eacd744333e26a67bb029c)"
    R"(1cd126b0bbcc0000000000fdffffff02a8e5052a01000000160014879785437f9f4296ddf2e285ffff88)"
    R"(48c55d927b0000000000000000276a255457494e01424242424242424242424242424242424242424242)"
    R"(42424242424242424242420247304402206f570d73861d68521406688e4c39b13ea56c17147027e6494f)"
    R"(40eaa242541261022052adf75b13f9d7a21f575d8d2897604312f4af4bdc53f09b47208286b62c14a501)"
    R"(2102a9d69a699f00b8d230c847757bc216ecdd5efb4a6801f9e0da7c8f52562e5bd200000000","compl)"
    R"(ete":true},"error":null,"id":1})";
inline constexpr char send_answer[] =
    R"({"result":"d1af2654f73558f8f8c91516465ebc5aeda89a3fe64bba568bb36848743588b6","error")"
    R"(:null,"id":1})";
inline constexpr char mempool_entry_answer[] =
    R"({"result":{"fees":{"base":0.00003160,"modified":0.00003160,"ancestor":0.00003160,"de)"
    R"(scendant":0.00003160},"vsize":158,"weight":629,"mwebweight":0,"fee":0.00003160,"modi)"
    R"(fiedfee":0.00003160,"time":1795353127,"height":102,"descendantcount":1,"descendantsi)"
    R"(ze":158,"descendantmwebweight":0,"descendantfees":3160,"ancestorcount":1,"ancestorsi)"
    R"(ze":158,"ancestormwebweight":0,"ancestorfees":3160,"wtxid":"057afc0e52c10bc3f1c3cb42)"
    R"(90bc6cfac8c15f8470d7ef20d548bc6cd918263c","depends":[],"spentby":[],"bip125-replacea)"
    R"(ble":true,"unbroadcast":true},"error":null,"id":1})";
inline constexpr char mempool_info_answer[] =
    R"({"result":{"loaded":true,"size":1,"bytes":158,"usage":1328,"maxmempool":300000000,"m)"
    R"(empoolminfee":0.00001000,"minrelaytxfee":0.00001000,"unbroadcastcount":1},"error":nu)"
    R"(ll,"id":1})";
inline constexpr char unconfirmed_answer[] =
    R"({"result":{"amount":0.00000000,"fee":-0.00003160,"confirmations":0,"trusted":true,"t)"
    R"(xid":"d1af2654f73558f8f8c91516465ebc5aeda89a3fe64bba568bb36848743588b6","walletconfl)"
    R"(icts":[],"time":1795353127,"timereceived":1795353127,"bip125-replaceable":"yes","det)"
    R"(ails":[{"category":"send","amount":0.00000000,"vout":1,"fee":-0.00003160,"abandoned")"
    R"(:false}],"hex":"02000000000101706d0029b77c132bc182f30bd18581eacd744333e26a67bb029c1c)"
    R"(d126b0bbcc0000000000fdffffff02a8e5052a01000000160014879785437f9f4296ddf2e285ffff8848)"
    R"(c55d927b0000000000000000276a255457494e0142424242424242424242424242424242424242424242)"
    R"(424242424242424242420247304402206f570d73861d68521406688e4c39b13ea56c17147027e6494f40)"
    R"(eaa242541261022052adf75b13f9d7a21f575d8d2897604312f4af4bdc53f09b47208286b62c14a50121)"
    R"(02a9d69a699f00b8d230c847757bc216ecdd5efb4a6801f9e0da7c8f52562e5bd200000000"},"error")"
    R"(:null,"id":1})";
inline constexpr char best_block_answer[] =
    R"({"result":"00d6f673311f9a9452ddbe71d1bc9eae6d6118aba8d71b060390625700933180","error")"
    R"(:null,"id":1})";
inline constexpr char confirmed_answer[] =
    R"({"result":{"amount":0.00000000,"fee":-0.00003160,"confirmations":1,"blockhash":"00d6)"
    R"(f673311f9a9452ddbe71d1bc9eae6d6118aba8d71b060390625700933180","blockheight":103,"blo)"
    R"(ckindex":1,"blocktime":1795353143,"txid":"d1af2654f73558f8f8c91516465ebc5aeda89a3fe6)"
    R"(4bba568bb36848743588b6","walletconflicts":[],"time":1795353127,"timereceived":179535)"
    R"(3127,"bip125-replaceable":"no","details":[{"category":"send","amount":0.00000000,"vo)"
    R"(ut":1,"fee":-0.00003160,"abandoned":false}],"hex":"02000000000101706d0029b77c132bc18)"
    R"(2f30bd18581eacd744333e26a67bb029c1cd126b0bbcc0000000000fdffffff02a8e5052a01000000160)"
    R"(014879785437f9f4296ddf2e285ffff8848c55d927b0000000000000000276a255457494e01424242424)"
    R"(24242424242424242424242424242424242424242424242424242420247304402206f570d73861d68521)"
    R"(406688e4c39b13ea56c17147027e6494f40eaa242541261022052adf75b13f9d7a21f575d8d289760431)"
    R"(2f4af4bdc53f09b47208286b62c14a5012102a9d69a699f00b8d230c847757bc216ecdd5efb4a6801f9e)"
    R"(0da7c8f52562e5bd200000000"},"error":null,"id":1})";
inline constexpr char header_info_answer[] =
    R"({"result":{"hash":"00d6f673311f9a9452ddbe71d1bc9eae6d6118aba8d71b060390625700933180")"
    R"(,"confirmations":1,"height":103,"version":536870912,"versionHex":"20000000","merkler)"
    R"(oot":"c6fa3101413958cc80e5be9bee267943e11d76485b91ba64cf71277688a02439","time":17953)"
    R"(53143,"mediantime":1795353143,"nonce":0,"bits":"207fffff","difficulty":4.65654237390)"
    R"(6925e-10,"chainwork":"00000000000000000000000000000000000000000000000000000000000000)"
    R"(d0","nTx":2,"previousblockhash":"9d7e0c63646ed1fad6e88a6e0bec45ead70193d1bf64d2b816d)"
    R"(d94b9eda6f11e"},"error":null,"id":1})";
inline constexpr char header_answer[] =
    R"({"result":"000000201ef1a6edb994dd16b8d264bfd19301d7ea45ec0b6e8ae8d6fad16e64630c7e9d3)"
    R"(924a088762771cf64ba915b48761de1437926ee9bbee580cc5839410131fac637ea026bffff7f2000000)"
    R"(000","error":null,"id":1})";
inline constexpr char block_answer[] =
    R"({"result":{"hash":"00d6f673311f9a9452ddbe71d1bc9eae6d6118aba8d71b060390625700933180")"
    R"(,"confirmations":1,"strippedsize":323,"size":468,"weight":1437,"height":103,"version)"
    R"(":536870912,"versionHex":"20000000","merkleroot":"c6fa3101413958cc80e5be9bee267943e1)"
    R"(1d76485b91ba64cf71277688a02439","tx":["3d53e2ed948728fd5d9bb1f7e1190a672fc69c76973b0)"
    R"(842e1060e32dc0b1a8d","d1af2654f73558f8f8c91516465ebc5aeda89a3fe64bba568bb36848743588)"
    R"(b6"],"time":1795353143,"mediantime":1795353143,"nonce":0,"bits":"207fffff","difficul)"
    R"(ty":4.656542373906925e-10,"chainwork":"000000000000000000000000000000000000000000000)"
    R"(00000000000000000d0","nTx":2,"previousblockhash":"9d7e0c63646ed1fad6e88a6e0bec45ead7)"
    R"(0193d1bf64d2b816dd94b9eda6f11e"},"error":null,"id":1})";
inline constexpr char transaction_answer[] =
    R"({"result":"02000000000101706d0029b77c132bc182f30bd18581eacd744333e26a67bb029c1cd126b)"
    R"(0bbcc0000000000fdffffff02a8e5052a01000000160014879785437f9f4296ddf2e285ffff8848c55d9)"
    R"(27b0000000000000000276a255457494e014242424242424242424242424242424242424242424242424)"
    R"(2424242424242420247304402206f570d73861d68521406688e4c39b13ea56c17147027e6494f40eaa24)"
    R"(2541261022052adf75b13f9d7a21f575d8d2897604312f4af4bdc53f09b47208286b62c14a5012102a9d)"
    R"(69a699f00b8d230c847757bc216ecdd5efb4a6801f9e0da7c8f52562e5bd200000000","error":null,)"
    R"("id":1})";
inline constexpr char coinbase_answer[] =
    R"({"result":"0200000000010100000000000000000000000000000000000000000000000000000000000)"
    R"(00000ffffffff0401670101ffffffff0258fe052a0100000001510000000000000000266a24aa21a9eda)"
    R"(cb2694b06af89f5fab5aa3f1749033e2719e0363a1a1134100f91c4c8ef9a4f012000000000000000000)"
    R"(0000000000000000000000000000000000000000000000000000000","error":null,"id":1})";
inline constexpr char wallet_info_answer[] =
    R"({"result":{"walletname":"w","walletversion":210000,"format":"bdb","balance":99.99996)"
    R"(840,"unconfirmed_balance":0.00000000,"immature_balance":0.00000000,"txcount":3,"keyp)"
    R"(oololdest":1795353122,"keypoolsize":1000,"hdseedid":"5d079b7c8a244ddc1c0cecff5da6014)"
    R"(b8f54756c","keypoolsize_hd_internal":999,"paytxfee":0.00000000,"private_keys_enabled)"
    R"(":true,"avoid_reuse":false,"scanning":false,"descriptors":false},"error":null,"id":1)"
    R"(})";
inline constexpr char indexed_answer[] =
    R"({"result":{"txid":"d1af2654f73558f8f8c91516465ebc5aeda89a3fe64bba568bb36848743588b6")"
    R"(,"hash":"057afc0e52c10bc3f1c3cb4290bc6cfac8c15f8470d7ef20d548bc6cd918263c","version")"
    R"(:2,"size":239,"vsize":158,"weight":629,"locktime":0,"vin":[{"ismweb":false,"txid":"c)"
    R"(cbbb026d11c9c02bb676ae2334374cdea8185d10bf382c12b137cb729006d70","vout":0,"scriptSig)"
    R"(":{"asm":"","hex":""},"txinwitness":["304402206f570d73861d68521406688e4c39b13ea56c17)"
    R"(147027e6494f40eaa242541261022052adf75b13f9d7a21f575d8d2897604312f4af4bdc53f09b472082)"
    R"(86b62c14a501","02a9d69a699f00b8d230c847757bc216ecdd5efb4a6801f9e0da7c8f52562e5bd2"],)"
    R"("sequence":4294967293}],"vout":[{"ismweb":false,"value":49.99996840,"n":0,"scriptPub)"
    R"(Key":{"asm":"0 879785437f9f4296ddf2e285ffff8848c55d927b","hex":"0014879785437f9f4296)"
    R"(ddf2e285ffff8848c55d927b","reqSigs":1,"type":"witness_v0_keyhash","addresses":["rltc)"
    R"(1qs7tc2smlnapfdh0ju2zlllugfrz4mynmdpwujw"]}},{"ismweb":false,"value":0.00000000,"n":)"
    R"(1,"scriptPubKey":{"asm":"OP_RETURN 5457494e01424242424242424242424242424242424242424)"
    R"(2424242424242424242424242","hex":"6a255457494e01424242424242424242424242424242424242)"
    R"(4242424242424242424242424242","type":"nulldata"}}],"hex":"02000000000101706d0029b77c)"
    R"(132bc182f30bd18581eacd744333e26a67bb029c1cd126b0bbcc0000000000fdffffff02a8e5052a0100)"
    R"(0000160014879785437f9f4296ddf2e285ffff8848c55d927b0000000000000000276a255457494e0142)"
    R"(424242424242424242424242424242424242424242424242424242424242420247304402206f570d7386)"
    R"(1d68521406688e4c39b13ea56c17147027e6494f40eaa242541261022052adf75b13f9d7a21f575d8d28)"
    R"(97604312f4af4bdc53f09b47208286b62c14a5012102a9d69a699f00b8d230c847757bc216ecdd5efb4a)"
    R"(6801f9e0da7c8f52562e5bd200000000","blockhash":"00d6f673311f9a9452ddbe71d1bc9eae6d611)"
    R"(8aba8d71b060390625700933180","confirmations":1,"time":1795353143,"blocktime":1795353)"
    R"(143},"error":null,"id":1})";

}  // namespace twinchain::ledger::testing

//! Connections that several services and stores share: Postgres, and record collections.

use vsr_types::Secret;

use crate::{
    contract_macro::contract,
    scalars::{Expanded, TimeSpan},
};

contract! {
    /// A Postgres server.
    pub struct PostgresConnection {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 5432,
        /// The database.
        database: String = String::new(),
        /// The user.
        user: String = String::new(),
        /// The user's password.
        password: Option<Secret> = None,
        /// How the connection is encrypted.
        ssl_mode: String = "disable".into(),
        /// The most connections.
        max_open_conns: u32 = 25,
        /// The most idle connections.
        max_idle_conns: u32 = 5,
        /// The longest life of a connection.
        conn_max_lifetime: TimeSpan = TimeSpan::seconds(300),
        /// The table.
        table_name: Option<String> = None,
    }

    /// A Milvus collection of records.
    pub struct MilvusRecords {
        /// `host:port`.
        address: Expanded = Expanded("localhost:19530".into()),
        /// The user.
        username: Option<String> = None,
        /// The user's password.
        password: Option<Secret> = None,
        /// The collection.
        collection_name: Option<String> = None,
        /// How soon a write is seen.
        consistency_level: Option<String> = None,
        /// How many shards.
        shard_num: Option<u32> = None,
    }

    /// A Qdrant collection of records.
    pub struct QdrantRecords {
        /// The host.
        host: Expanded = Expanded("localhost".into()),
        /// The port.
        port: u16 = 6334,
        /// The key.
        api_key: Option<Secret> = None,
        /// Whether the connection is encrypted.
        use_tls: bool = false,
        /// The time to connect.
        connect_timeout: TimeSpan = TimeSpan::seconds(10),
        /// The collection.
        collection_name: Option<String> = None,
    }
}

"""Transactions of several sales channels as a data frame, and new sessions as a stream."""

from pyspark.sql import SparkSession

from truemed_async.sources.spark import TruemedDataSource

CHANNELS = "TRUEMED_KEY_A,TRUEMED_KEY_B,TRUEMED_KEY_C"


# %% batch
def read_transactions(spark: SparkSession):
    spark.dataSource.register(TruemedDataSource)
    reader = spark.read.format("truemed").option("key_variables", CHANNELS)
    return reader.options(resource="transactions", partitions=8).load()


# %% filter
def read_approved(spark: SparkSession):
    spark.dataSource.register(TruemedDataSource)
    sessions = spark.read.format("truemed").option("key_variables", CHANNELS).load()
    return sessions.where("status = 'approved' AND created_at >= '2024-01-01'")


# %% stream
def stream_sessions(spark: SparkSession, directory: str, delay_seconds: int = 300):
    spark.dataSource.register(TruemedDataSource)
    reader = spark.readStream.format("truemed").option("key_variables", CHANNELS)
    sessions = reader.options(start_date="2023-12-31", delay_seconds=delay_seconds).load()
    return sessions.writeStream.format("parquet").options(
        path=f"{directory}/sessions", checkpointLocation=f"{directory}/checkpoint"
    )
